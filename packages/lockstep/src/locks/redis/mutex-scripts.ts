import type { RedisScript } from '../../ports/index.ts'
import type { LockScripts } from './lock-scripts.ts'
import { confirmMs, luaQueue, luaTime, tokenKeptMs } from './lua.ts'

/**
 * Input: KEYS as in lua.ts, KEYS[1] being the holder's member as text, which expires with the lease. A member is `owner about-the-holder`.
 * Output, invariants and concurrency: lua.ts.
 */
const handOver = `${luaQueue}
-- The name belongs to nobody but the one that is answered; self, when it is its turn, has it for the whole ttl at once.
local function handOver(self, ttl)
  while true do
    local member, _, channel = firstLive()
    if not member then
      redis.call('DEL', KEYS[1])
      return nil
    end
    take(member)
    if member == self then
      redis.call('SET', KEYS[1], member, 'PX', ttl)
      return nextToken()
    end
    local token = nextToken()
    redis.call('SET', KEYS[1], member, 'PX', ${confirmMs})
    if tell(channel, string.match(member, '^%S+'), token) then return nil end
  end
end`

/** ARGV: member, ttl, how it waits. */
const acquire = `
if redis.call('EXISTS', KEYS[3]) == 0 and redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local time = redis.call('TIME')
  local token = time[1] .. string.sub('00000' .. time[2], -6)
  -- One command where two would do: what costs here is their number. The clock has gone back when the last one is not smaller; texts of one length are
  -- in the order of their numbers.
  local last = redis.call('SET', KEYS[2], token, 'PX', '${tokenKeptMs}', 'GET')
  if last and (#last ~= #token or last >= token) then
    token = string.format('%.0f', math.max(last + 1, tonumber(token)))
    redis.call('SET', KEYS[2], token, 'PX', '${tokenKeptMs}')
  end
  return { 1, token }
end
${luaTime}
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  -- Our own attempt whose answer was lost, or a grant of which we have not heard. A late copy of it must not undo an extension.
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return { 1, redis.call('GET', KEYS[2]) or nextToken() }
end
${handOver}
enqueue(ARGV[1], ARGV[3])
if not holder then
  local token = handOver(ARGV[1], ARGV[2])
  if token then return { 1, token } end
  if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return { 1, nextToken() } end
end
return { 0, redis.call('PTTL', KEYS[1]) }`

/** ARGV: member. Answers 1 when it was held; one that waits leaves. */
const release = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  if redis.call('HDEL', KEYS[4], ARGV[1]) == 1 then redis.call('LREM', KEYS[3], 0, ARGV[1]) end
  return 0
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[1])
  return 1
end
${luaTime}${handOver}
handOver()
return 1`

/** ARGV: the member that goes, then as acquire. Answers {1, as acquire}, or {0} when it was not held, and nothing has changed. */
const pass = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 0 } end
${luaTime}
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return { 1, 1, nextToken() }
end
${handOver}
enqueue(ARGV[2], ARGV[4])
local token = handOver(ARGV[2], ARGV[3])
if token then return { 1, 1, token } end
return { 1, 0, redis.call('PTTL', KEYS[1]) }`

/**
 * KEYS: holders. ARGV: member, ttl for each. Answers 1 or 0 for each; what has vanished is never made again. The end never comes nearer: of two
 * extensions the shorter one may be executed last and not be answered, and the holder believes what was answered.
 */
const extend = `
local held = {}
for index = 1, #KEYS do
  held[index] = 0
  -- What somebody has written over is lost, and no reason to lose the others.
  if redis.pcall('GET', KEYS[index]) == ARGV[2 * index - 1] then
    held[index] = 1
    if redis.call('PTTL', KEYS[index]) < tonumber(ARGV[2 * index]) then
      redis.call('PEXPIRE', KEYS[index], ARGV[2 * index])
    end
    -- The counter must outlive the longest hold, or nobody could say any more which token it has.
    local counter = KEYS[index] .. ':token'
    local left = redis.call('PTTL', counter)
    if left >= 0 and left < ${tokenKeptMs / 2} then redis.call('PEXPIRE', counter, '${tokenKeptMs}') end
  end
end
return held`

/** Answers {waiters, member, token, milliseconds left} with nothing after the first when nobody holds it. */
const show = `
local shown = { redis.call('LLEN', KEYS[3]) }
local holder = redis.call('GET', KEYS[1])
if holder then
  shown[2] = holder
  shown[3] = redis.call('GET', KEYS[2]) or ''
  shown[4] = redis.call('PTTL', KEYS[1])
end
return shown`

/** ARGV: a token, or nothing for whoever holds it. Answers what was taken, as show. */
const evict = `
local holder = redis.call('GET', KEYS[1])
local token = redis.call('GET', KEYS[2]) or ''
local shown = { redis.call('LLEN', KEYS[3]) }
if holder and (ARGV[1] == '' or ARGV[1] == token) then
  shown[2] = holder
  shown[3] = token
  shown[4] = redis.call('PTTL', KEYS[1])
  ${luaTime}${handOver}
  handOver()
end
return shown`

export const mutexScripts: LockScripts = {
  acquire: { lua: acquire },
  release: { lua: release },
  pass: { lua: pass },
  extend: { lua: extend },
  show: { lua: show },
  evict: { lua: evict },
}

/**
 * Many operations, one after the other, as their own scripts do them. KEYS: the holder's key of each. ARGV: for each its name, then as its script. Answers
 * what each of them answers, or the error that it has ended with, as text: the others are done all the same.
 */
export const mutexTogether: RedisScript = {
  lua: `
local function acquire(KEYS, ARGV) ${acquire} end
local function release(KEYS, ARGV) ${release} end
local function pass(KEYS, ARGV) ${pass} end
local operations, counts = { acquire = acquire, release = release, pass = pass }, { acquire = 3, release = 1, pass = 4 }
local replies, at = {}, 1
for index, key in ipairs(KEYS) do
  local run, count, args = operations[ARGV[at]], counts[ARGV[at]], {}
  for number = 1, count do args[number] = ARGV[at + number] end
  local done, reply = pcall(run, { key, key .. ':token', key .. ':queue', key .. ':waiters' }, args)
  if not done then reply = type(reply) == 'table' and reply.err or tostring(reply) end
  replies[index] = reply
  at = at + 1 + count
end
return replies`,
}

/** A known bug, for proving that the suites catch it: whoever holds it, it is released. */
export const carelessMutexRelease: RedisScript = {
  lua: release.replace("redis.call('GET', KEYS[1]) ~= ARGV[1]", 'false'),
}
