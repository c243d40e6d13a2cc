import type { RedisScript } from '../../ports/index.ts'

/**
 * What a node is asked. KEYS: the lock, its token counter. Numbers above 2^53 would not be exact in Lua; counters are microseconds since
 * 1970, which are below that until 2255.
 */

/**
 * ARGV: owner, TTL. Answers { 1, counter } when it is ours, else { 0, owner }. A repeat of the same attempt changes nothing.
 * The counter is seeded with whole seconds, so that the nodes of one grant mostly agree, and a node that has lost it goes on above it.
 */
export const acquireScript: RedisScript = {
  lua: `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local owner = redis.call('GET', KEYS[1])
  if owner ~= ARGV[1] then return { 0, owner } end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return { 1, redis.call('GET', KEYS[2]) or '0' }
end
local counter = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, redis.call('TIME')[1] * 1000000)
local text = string.format('%.0f', counter)
redis.call('SET', KEYS[2], text, 'PX', 86400000 + ARGV[2])
return { 1, text }`,
}

/** ARGV: owner, token, TTL. 1 when the node stands for this token now; 0 when it is not ours, or has counted further meanwhile. */
export const writeBackScript: RedisScript = {
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', 86400000 + ARGV[3])
return 1`,
}

/**
 * ARGV: owner, TTL. 1 extended, 0 somebody else's, -1 nobody's: it has run out, or the node has forgotten it. The counter outlives the
 * longest hold. The end never comes nearer: of two extensions the shorter one may be executed last and the longer one be answered last,
 * and the holder believes what was answered.
 */
export const extendScript: RedisScript = {
  lua: `
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] then
  if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[2], 86400000 + ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return 1
end
if owner then return 0 end
return -1`,
}

/** KEYS: the lock, its token counter. Answers { owner, milliseconds left, counter }. */
export const inspectScript: RedisScript = {
  lua: `return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2]) }`,
}

/** ARGV: owner, token, TTL. Takes again what the node has forgotten, while a majority still holds. */
export const retakeScript: RedisScript = {
  lua: `
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3]) then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or '0') < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', 86400000 + ARGV[3])
end
return 1`,
}

/**
 * KEYS: the lock. ARGV: owner, channel or nothing. 0 when it was not ours, else 1 and how many were told. Who waits is told of a lock that
 * was held, and by whom, so that it is woken once by all nodes; what only split the votes wakes nobody, or all would come back at once and
 * split them again.
 */
export const releaseScript: RedisScript = {
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] == '' then return 1 end
return 1 + redis.call('PUBLISH', ARGV[2], ARGV[1])`,
}

/** Known bugs, for proving that the suites catch them: without the test of the counter, and without that of the owner. */
export const carelessWriteBackScript: RedisScript = {
  lua: writeBackScript.lua.replace(/if tonumber.*\n/, ''),
}
export const carelessReleaseScript: RedisScript = {
  lua: releaseScript.lua.replace(/if redis.call\('GET'.*\n/, ''),
}
