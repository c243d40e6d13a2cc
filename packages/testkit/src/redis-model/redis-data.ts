/** The data of one Redis in memory, as far as the scripts of locks use it. Its time is what it is told. */
export type Value =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'hash'; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: 'zset'; readonly scores: ReadonlyMap<string, number> }

export interface Stored {
  readonly value: Value
  readonly expiresAtMs: number | null
}

export type Reply = string | number | null | { readonly ok: string } | readonly Reply[]

/** What a server answers with a minus in front. */
export class RedisReplyError extends Error {}

export class RedisData {
  /** Values are never changed in place, so that a copy of the map is a snapshot. */
  #keys = new Map<string, Stored>()
  nowMs: () => number
  readonly #publish: (channel: string, text: string) => number

  constructor(parts: { nowMs: () => number; publish: (channel: string, text: string) => number }) {
    this.nowMs = parts.nowMs
    this.#publish = parts.publish
  }

  snapshot(): ReadonlyMap<string, Stored> {
    return new Map(this.#keys)
  }

  restore(snapshot: ReadonlyMap<string, Stored>): void {
    this.#keys = new Map(snapshot)
  }

  /** As after a restart that kept nothing. */
  forget(keeps: (key: string) => boolean = () => false): void {
    this.#keys = new Map([...this.#keys].filter(([key]) => keeps(key)))
  }

  keys(): string[] {
    return [...this.#keys.keys()].filter((key) => this.#read(key) !== undefined).sort()
  }

  /** Earlier than it would have been: the search ends leases at any moment. */
  expire(key: string): boolean {
    return this.#keys.delete(key)
  }

  expiryOf(key: string): number | null {
    return this.#read(key)?.expiresAtMs ?? null
  }

  call(command: string, ...args: readonly string[]): Reply {
    const run = commands[command.toUpperCase()]
    if (run === undefined) throw new RedisReplyError(`ERR unknown command '${command}'`)
    return run(this, args)
  }

  publish(channel: string, text: string): number {
    return this.#publish(channel, text)
  }

  read<Kind extends Value['kind']>(key: string, kind: Kind): Extract<Value, { kind: Kind }> | undefined {
    const value = this.#read(key)?.value
    if (value !== undefined && value.kind !== kind)
      throw new RedisReplyError('WRONGTYPE Operation against a key holding the wrong kind of value')
    return value as Extract<Value, { kind: Kind }> | undefined
  }

  /** Keeps the expiry, unless one is given. An empty collection is no key. */
  write(key: string, value: Value, expiresAtMs: number | null = this.#read(key)?.expiresAtMs ?? null): void {
    if (isEmpty(value)) this.#keys.delete(key)
    else this.#keys.set(key, { value, expiresAtMs })
  }

  remove(key: string): boolean {
    const existed = this.#read(key) !== undefined
    this.#keys.delete(key)
    return existed
  }

  expireAt(key: string, atMs: number): boolean {
    const stored = this.#read(key)
    if (stored === undefined) return false
    if (atMs <= this.nowMs()) this.#keys.delete(key)
    else this.#keys.set(key, { ...stored, expiresAtMs: atMs })
    return true
  }

  has(key: string): boolean {
    return this.#read(key) !== undefined
  }

  #read(key: string): Stored | undefined {
    const stored = this.#keys.get(key)
    if (stored === undefined || stored.expiresAtMs === null || stored.expiresAtMs > this.nowMs()) return stored
    this.#keys.delete(key)
    return undefined
  }
}

type Run = (data: RedisData, args: readonly string[]) => Reply

const commands: Readonly<Record<string, Run>> = {
  TIME: (data) => {
    const nowMs = data.nowMs()
    return [String(Math.floor(nowMs / 1_000)), String(Math.floor((nowMs % 1_000) * 1_000))]
  },
  EXISTS: (data, keys) => keys.filter((key) => data.has(key)).length,
  DEL: (data, keys) => keys.filter((key) => data.remove(key)).length,
  GET: (data, [key = '']) => data.read(key, 'string')?.text ?? null,
  SET: (data, args) => set(data, args),
  PTTL: (data, [key = '']) => {
    if (!data.has(key)) return -2
    const atMs = data.expiryOf(key)
    return atMs === null ? -1 : Math.max(0, Math.round(atMs - data.nowMs()))
  },
  PEXPIRE: (data, [key = '', ms = '']) => Number(data.expireAt(key, data.nowMs() + integer(ms))),
  PUBLISH: (data, [channel = '', text = '']) => data.publish(channel, text),
  LLEN: (data, [key = '']) => itemsOf(data, key).length,
  LINDEX: (data, [key = '', index = '']) => itemsOf(data, key).at(integer(index)) ?? null,
  LRANGE: (data, [key = '', from = '', to = '']) => slice(itemsOf(data, key), integer(from), integer(to)),
  RPUSH: (data, [key = '', ...items]) => {
    const all = [...itemsOf(data, key), ...items]
    data.write(key, { kind: 'list', items: all })
    return all.length
  },
  LPOP: (data, [key = '']) => {
    const [first, ...rest] = itemsOf(data, key)
    if (first === undefined) return null
    data.write(key, { kind: 'list', items: rest })
    return first
  },
  LREM: (data, [key = '', , item = '']) => {
    const items = itemsOf(data, key)
    const left = items.filter((one) => one !== item)
    if (left.length < items.length) data.write(key, { kind: 'list', items: left })
    return items.length - left.length
  },
  HGET: (data, [key = '', field = '']) => data.read(key, 'hash')?.fields.get(field) ?? null,
  HLEN: (data, [key = '']) => data.read(key, 'hash')?.fields.size ?? 0,
  HSET: (data, [key = '', field = '', value = '']) => {
    const fields = new Map(data.read(key, 'hash')?.fields)
    const isNew = !fields.has(field)
    data.write(key, { kind: 'hash', fields: fields.set(field, value) })
    return Number(isNew)
  },
  HDEL: (data, [key = '', field = '']) => {
    const fields = new Map(data.read(key, 'hash')?.fields)
    if (!fields.delete(field)) return 0
    data.write(key, { kind: 'hash', fields })
    return 1
  },
  ZADD: (data, [key = '', score = '', member = '']) => {
    const scores = new Map(data.read(key, 'zset')?.scores)
    const isNew = !scores.has(member)
    data.write(key, { kind: 'zset', scores: scores.set(member, Number(score)) })
    return Number(isNew)
  },
  ZREM: (data, [key = '', member = '']) => {
    const scores = new Map(data.read(key, 'zset')?.scores)
    if (!scores.delete(member)) return 0
    data.write(key, { kind: 'zset', scores })
    return 1
  },
  ZCARD: (data, [key = '']) => data.read(key, 'zset')?.scores.size ?? 0,
  ZSCORE: (data, [key = '', member = '']) => {
    const score = data.read(key, 'zset')?.scores.get(member)
    return score === undefined ? null : String(score)
  },
  ZRANGE: (data, [key = '', from = '', to = '', withScores]) =>
    pairsOf(slice(rankedOf(data, key), integer(from), integer(to)), withScores !== undefined),
  ZRANGEBYSCORE: (data, [key = '', from = '', to = '', withScores]) => {
    const [low, high] = [bound(from), bound(to)]
    const within = rankedOf(data, key).filter(([, score]) => score >= low && score <= high)
    return pairsOf(within, withScores !== undefined)
  },
}

function set(data: RedisData, [key = '', text = '', ...options]: readonly string[]): Reply {
  const given = options.includes('GET')
  const before = given ? (data.read(key, 'string')?.text ?? null) : null
  if (options.includes('NX') && data.has(key)) return before
  const at = options.indexOf('PX')
  const ms = at < 0 ? null : integer(options[at + 1] ?? '')
  if (ms !== null && ms <= 0) throw new RedisReplyError("ERR invalid expire time in 'set' command")
  data.remove(key)
  data.write(key, { kind: 'string', text }, ms === null ? null : data.nowMs() + ms)
  return given ? before : { ok: 'OK' }
}

function itemsOf(data: RedisData, key: string): readonly string[] {
  return data.read(key, 'list')?.items ?? []
}

function rankedOf(data: RedisData, key: string): readonly (readonly [string, number])[] {
  const scores = data.read(key, 'zset')?.scores ?? new Map<string, number>()
  return [...scores].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1))
}

function pairsOf(ranked: readonly (readonly [string, number])[], withScores: boolean): Reply {
  return ranked.flatMap(([member, score]) => (withScores ? [member, String(score)] : [member]))
}

function slice<Item>(items: readonly Item[], from: number, to: number): readonly Item[] {
  return items.slice(from, to === -1 ? undefined : to + 1)
}

function bound(text: string): number {
  if (text === '-inf') return Number.NEGATIVE_INFINITY
  return text === '+inf' ? Number.POSITIVE_INFINITY : Number(text)
}

function integer(text: string): number {
  if (/^-?\d+$/.test(text)) return Number(text)
  throw new RedisReplyError('ERR value is not an integer or out of range')
}

function isEmpty(value: Value): boolean {
  if (value.kind === 'list') return value.items.length === 0
  if (value.kind === 'hash') return value.fields.size === 0
  return value.kind === 'zset' && value.scores.size === 0
}
