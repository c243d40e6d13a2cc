import type { LockScripts } from './lock-scripts.ts'
import { confirmMs, luaQueue, luaTime } from './lua.ts'

/**
 * Read-write locks and semaphores. KEYS[1] is a sorted set of all who hold the name, by the moment at which each expires, of the server's
 * clock; the hash has the token of each. A member is `mode owner about-the-holder`, and its mode is r, w or p: readers share, a writer is
 * alone, and a permit is granted while fewer than its limit are out.
 *
 * Whoever comes while somebody waits stands behind, so a writer that waits stops new readers and does not starve; it stops them for as long as it lives.
 * Output, invariants and concurrency: lua.ts.
 */
const common = `${luaTime}${luaQueue}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[4], member)
end
-- Whoever is in the hash holds or waits. But the set and the list end by themselves as well, each while the other keeps the hash alive; what the
-- hash then still says is forgotten, or one that comes again would be taken for one that stands in the list.
if redis.call('HLEN', KEYS[4]) > redis.call('ZCARD', KEYS[1]) + redis.call('LLEN', KEYS[3]) then
  local ms, kept = redis.call('PTTL', KEYS[4]), {}
  for _, key in ipairs({ redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('LRANGE', KEYS[3], 0, -1) }) do
    for _, member in ipairs(key) do kept[member] = redis.call('HGET', KEYS[4], member) or nil end
  end
  redis.call('DEL', KEYS[4])
  for member, about in pairs(kept) do redis.call('HSET', KEYS[4], member, about) end
  if ms > 0 then redis.call('PEXPIRE', KEYS[4], ms) end
end
local function admits(member, limit)
  local first = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
  if not first then return true end
  local mode = string.sub(member, 1, 1)
  if mode == 'w' or mode ~= string.sub(first, 1, 1) then return false end
  return mode == 'r' or redis.call('ZCARD', KEYS[1]) < limit
end
local function hold(member, ms, token)
  redis.call('ZADD', KEYS[1], now + ms, member)
  redis.call('HSET', KEYS[4], member, token)
  -- The set outlives its members a little, so that those who wait forget the tokens with them.
  keep(KEYS[1], ms + ${confirmMs})
  keep(KEYS[4], ms)
  return token
end
local function drop(member)
  redis.call('HDEL', KEYS[4], member)
  return redis.call('ZREM', KEYS[1], member)
end
-- Grants as many as may hold it together, in their order; answers the token of self if it is among them.
local function handOver(self, ttl)
  local own = nil
  while true do
    local member, limit, channel = firstLive()
    if not member or not admits(member, limit) then return own end
    take(member)
    if member == self then
      own = hold(member, ttl, nextToken())
    else
      local token = hold(member, ${confirmMs}, nextToken())
      if not tell(channel, string.match(member, '^%a (%S+)'), token) then drop(member) end
    end
  end
end
local function left()
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, first[2] - now) or 0
end`

/** ARGV: member, ttl, how it waits. */
const acquire = `${common}
local ttl = tonumber(ARGV[2])
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ends then
  -- Our own attempt whose answer was lost, or a grant of which we have not heard. A late copy of it must not undo an extension.
  return { 1, hold(ARGV[1], math.max(ttl, ends - now), redis.call('HGET', KEYS[4], ARGV[1]) or nextToken()) }
end
if redis.call('EXISTS', KEYS[3]) == 1 then enqueue(ARGV[1], ARGV[3]) end
local token = handOver(ARGV[1], ttl)
if token then return { 1, token } end
if redis.call('EXISTS', KEYS[3]) == 0 and admits(ARGV[1], tonumber(string.match(ARGV[3], '^%d+ (%d+)'))) then
  return { 1, hold(ARGV[1], ttl, nextToken()) }
end
enqueue(ARGV[1], ARGV[3])
return { 0, left() }`

/** ARGV: member. Answers 1 when it was held; one that waits leaves, and whoever stood behind may be admitted now. */
const release = `${common}
local held = redis.call('ZREM', KEYS[1], ARGV[1])
if held == 1 then redis.call('HDEL', KEYS[4], ARGV[1]) else leave(ARGV[1]) end
handOver()
return held`

/** ARGV: the member that goes, then as acquire. Answers {1, as acquire}, or {0} when it was not held, and nothing has changed. */
const pass = `${common}
if drop(ARGV[1]) == 0 then return { 0 } end
enqueue(ARGV[2], ARGV[4])
local token = handOver(ARGV[2], tonumber(ARGV[3]))
if token then return { 1, 1, token } end
return { 1, 0, left() }`

/** KEYS: holders and hash of each. ARGV: member, ttl for each. Answers 1 or 0 for each; what has expired is never made again, and no end comes nearer. */
const extend = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = {}
for index = 1, #KEYS / 2 do
  local member, ttl = ARGV[2 * index - 1], tonumber(ARGV[2 * index])
  -- What somebody has written over is lost, and no reason to lose the others.
  local score = redis.pcall('ZSCORE', KEYS[2 * index - 1], member)
  local until_ = type(score) == 'string' and tonumber(score) or 0
  held[index] = until_ > now and 1 or 0
  if until_ > now then
    redis.call('ZADD', KEYS[2 * index - 1], math.max(until_, now + ttl), member)
    for at = 2 * index - 1, 2 * index do
      if redis.call('PTTL', KEYS[at]) < ttl then redis.call('PEXPIRE', KEYS[at], ttl) end
    end
  end
end
return held`

/** ARGV: the writer's member, the reader's, ttl. Answers the token; nil when it was not held any more. No writer comes in between. */
export const downgradeScript = {
  lua: `${common}
local token = redis.call('HGET', KEYS[4], ARGV[1])
if drop(ARGV[1]) == 0 then return nil end
hold(ARGV[2], tonumber(ARGV[3]), token or nextToken())
handOver()
return token`,
}

const list = `
local shown = { redis.call('LLEN', KEYS[3]) }
local function put(member, expires)
  shown[#shown + 1] = member
  shown[#shown + 1] = redis.call('HGET', KEYS[4], member) or ''
  shown[#shown + 1] = expires - now
end`

/** Answers {waiters, then member, token, milliseconds left of each holder}. */
const show = `${luaTime}${list}
local held = redis.call('ZRANGEBYSCORE', KEYS[1], now + 1, '+inf', 'WITHSCORES')
for index = 1, #held, 2 do put(held[index], held[index + 1]) end
return shown`

/** ARGV: a token, or nothing for all. Answers what was taken, as show. */
const evict = `${common}${list}
local held = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for index = 1, #held, 2 do
  if ARGV[1] == '' or redis.call('HGET', KEYS[4], held[index]) == ARGV[1] then
    put(held[index], held[index + 1])
    drop(held[index])
  end
end
handOver()
return shown`

export const sharedScripts: LockScripts = {
  acquire: { lua: acquire },
  release: { lua: release },
  pass: { lua: pass },
  extend: { lua: extend },
  show: { lua: show },
  evict: { lua: evict },
}
