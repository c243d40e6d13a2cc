/**
 * What the scripts of all kinds of locks begin with. A name has up to four keys:
 *
 *   KEYS[1]  who holds it           KEYS[3]  a list of those who wait, in the order of their coming
 *   KEYS[2]  the last token         KEYS[4]  a hash about them: `deadline limit channel`
 *
 * Output of every `acquire`: {1, token} when it is granted, {0, milliseconds until a holder expires} when not.
 * Invariants: whoever is in the list is in the hash; both end by themselves within the longest life of a waiter; a token is larger than every earlier one
 * while the counter or the server's clock survives.
 * Concurrency: a script runs alone. A waiter that is granted has `confirmMs` to say that it lives, and somebody else's script
 * passes on what was not confirmed.
 */
export const confirmMs = 1_000

/**
 * One that waits is forgotten this long after it has last asked. It asks again several times in that time, so only a dead one is; and what a lost
 * farewell has left behind ends by itself.
 */
export const waiterLifeMs = 5_000

/**
 * The counter of a name is kept for two days after its last grant, and so for a day after the longest lease; after that, time alone makes tokens grow.
 * A constant, since the server writes down every number that a script counts.
 */
export const tokenKeptMs = 172_800_000

/** Text, since Lua would write a large number as 1.76e+15. */
export const luaTime = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function nextToken()
  local last = tonumber(redis.call('GET', KEYS[2]) or '0')
  local token = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
  redis.call('SET', KEYS[2], token, 'PX', '${tokenKeptMs}')
  return token
end`

export const luaQueue = `
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
-- How one waits is life, limit and channel, with spaces; a life of 0 is one try, which does not wait.
local function enqueue(member, how)
  local life, rest = string.match(how, '^(%d+) (.*)$')
  life = tonumber(life)
  if life == 0 then return end
  local about = string.format('%.0f', now + life) .. ' ' .. rest
  if redis.call('HSET', KEYS[4], member, about) == 1 then redis.call('RPUSH', KEYS[3], member) end
  keep(KEYS[3], life)
  keep(KEYS[4], life)
end
local function leave(member)
  if redis.call('HDEL', KEYS[4], member) == 1 then redis.call('LREM', KEYS[3], 0, member) end
end
-- The head of those who wait and still live, with what is known of it; the dead are forgotten on the way.
local function firstLive()
  while true do
    local member = redis.call('LINDEX', KEYS[3], 0)
    if not member then return nil end
    local about = redis.call('HGET', KEYS[4], member) or ''
    local deadline, limit, channel = string.match(about, '^(%d+) (%d+) (.*)$')
    if deadline and tonumber(deadline) > now then return member, tonumber(limit), channel end
    redis.call('LPOP', KEYS[3])
    redis.call('HDEL', KEYS[4], member)
  end
end
local function take(member)
  redis.call('LPOP', KEYS[3])
  redis.call('HDEL', KEYS[4], member)
end
-- False when nobody listens to the channel: the process is gone. One that polls has no channel, and is believed.
local function tell(channel, owner, token)
  if channel == '' then return true end
  local heard = redis.pcall('PUBLISH', channel, owner .. ' ' .. token)
  return type(heard) ~= 'number' or heard > 0
end`
