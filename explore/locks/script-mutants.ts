/** Known bugs of the queue's scripts, as replacements in them. */
interface ScriptMutant {
  readonly name: string
  readonly from: string
  readonly to: string
}

export const scriptMutants: readonly ScriptMutant[] = [
  { name: 'E2-grants-to-the-late', from: 'if deadline and tonumber(deadline) > now then', to: 'if deadline then' },
  {
    name: 'E3-granted-stays-a-waiter',
    from: "redis.call('LPOP', KEYS[3])\n  redis.call('HDEL', KEYS[4], member)\nend",
    to: "redis.call('LPOP', KEYS[3])\nend",
  },
  {
    name: 'E4-grant-is-not-passed-on',
    from: "if tell(channel, string.match(member, '^%S+'), token) then return nil end",
    to: "tell(channel, string.match(member, '^%S+'), token)\n    if true then return nil end",
  },
  { name: 'E5-newcomer-overtakes', from: "redis.call('EXISTS', KEYS[3]) == 0 and redis", to: 'redis' },
  {
    name: 'E6-token-follows-the-clock',
    from: 'if last and (#last ~= #token or last >= token) then',
    to: 'if false then',
  },
  { name: 'E8-leftovers-are-believed', from: "if redis.call('HLEN', KEYS[4]) >", to: 'if false and 0 >' },
]
