/** Operations that leave in one request do what each of them does by itself: the real scripts, on a server in memory. */
import { describe, expect, it } from 'vitest'
import { LuaRuntime } from '../../../testkit/src/redis-model/lua-runtime.ts'
import { RedisData, type Reply } from '../../../testkit/src/redis-model/redis-data.ts'
import { RandomStreams } from '../../../testkit/src/simulator/index.ts'
import { mutexScripts, mutexTogether } from '../../src/locks/redis/mutex-scripts.ts'
import { recipeOf } from '../../src/locks/redis/recipe.ts'

interface Step {
  readonly operation: 'acquire' | 'release' | 'pass'
  readonly name: string
  readonly args: readonly string[]
}

const runtime = new LuaRuntime()
const keysOf = (name: string) => recipeOf('p', 'mutex', name).keys

function server() {
  let nowMs = 1_790_000_000_000
  const published: string[] = []
  const publish = (channel: string, text: string): number => {
    published.push(`${channel} ${text}`)
    // Of one process nobody listens any more.
    return channel === 'gone' ? 0 : 1
  }
  const data = new RedisData({ nowMs: () => nowMs, publish })
  return {
    data,
    published,
    pass(ms: number) {
      nowMs += ms
    },
    alone: ({ operation, name, args }: Step) => runtime.run(data, mutexScripts[operation].lua, keysOf(name), args),
    together(steps: readonly Step[]) {
      const keys = steps.map(({ name }) => keysOf(name)[0] as string)
      const args = steps.flatMap((step) => [step.operation, ...step.args])
      return runtime.run(data, mutexTogether.lua, keys, args)
    },
  }
}

function steps(seed: number, count: number): Step[] {
  const random = new RandomStreams(seed, () => {}).fork('steps')
  const one = (of: readonly string[]): string => of[random.integer('which', 0, of.length - 1)] ?? ''
  const wanted = (): string[] => [
    `${one(['a', 'b', 'c', 'd'])} about`,
    '1000',
    `${one(['0', '5000'])} 0 ${one(['', 'c', 'gone'])}`,
  ]
  return Array.from({ length: count }, () => {
    const operation = one(['acquire', 'acquire', 'release', 'pass']) as Step['operation']
    const goes = `${one(['a', 'b', 'c', 'd'])} about`
    const args = { acquire: wanted(), release: [goes], pass: [goes, ...wanted()] }[operation]
    return { operation, name: one(['x', 'y']), args }
  })
}

describe('an extension on one Redis', () => {
  it('by less than is left changes nothing: it may be executed behind a longer one whose answer the holder believes', () => {
    for (const kind of ['mutex', 'read-write'] as const) {
      const { data } = server()
      const { scripts, keys, extendKeys } = recipeOf('p', kind, 'n')
      const member = kind === 'mutex' ? 'a about' : 'w a about'
      runtime.run(data, scripts.acquire.lua, keys, [member, '1000', '0 0 '])
      const extend = (ms: string) =>
        runtime.run(data, scripts.extend.lua, [keys[0], keys[3]].slice(0, extendKeys) as string[], [member, ms])
      const leftMs = () => (runtime.run(data, scripts.show.lua, keys, []) as readonly Reply[])[3]
      expect([extend('9000'), leftMs()]).toEqual([[1], 9_000])
      expect([extend('2000'), leftMs()]).toEqual([[1], 9_000])
    }
  })
})

describe('a late copy of an acquire on one Redis', () => {
  it('undoes no extension that came before it', () => {
    for (const kind of ['mutex', 'read-write'] as const) {
      const { data } = server()
      const { scripts, keys, extendKeys } = recipeOf('p', kind, 'n')
      const member = kind === 'mutex' ? 'a about' : 'w a about'
      const acquire = () => runtime.run(data, scripts.acquire.lua, keys, [member, '1000', '0 0 '])
      const granted = acquire()
      runtime.run(data, scripts.extend.lua, [keys[0], keys[3]].slice(0, extendKeys) as string[], [member, '9000'])
      expect(acquire()).toEqual(granted)
      expect((runtime.run(data, scripts.show.lua, keys, []) as readonly Reply[])[3]).toBe(9_000)
    }
  })
})

describe('extensions in one request on one Redis', () => {
  it('lose what somebody has written over, and nothing else', () => {
    for (const kind of ['mutex', 'read-write'] as const) {
      const { data } = server()
      const member = kind === 'mutex' ? 'a about' : 'w a about'
      const recipes = ['x', 'y', 'z'].map((name) => recipeOf('p', kind, name))
      for (const { scripts, keys } of recipes) runtime.run(data, scripts.acquire.lua, keys, [member, '1000', '0 0 '])
      data.call('DEL', recipes[1]?.keys[0] ?? '')
      data.call('RPUSH', recipes[1]?.keys[0] ?? '', 'not a lock')
      const keys = recipes.flatMap((one) => [one.keys[0], one.keys[3]].slice(0, one.extendKeys) as string[])
      const args = recipes.flatMap(() => [member, '2000'])
      expect(runtime.run(data, recipes[0]?.scripts.extend.lua ?? '', keys, args)).toEqual([1, 0, 1])
    }
  })
})

describe('operations on one Redis that leave together', () => {
  it('answer, publish and leave behind what they do one by one', () => {
    let granted = 0
    for (let seed = 1; seed <= 60; seed++) {
      const random = new RandomStreams(seed, () => {}).fork('groups')
      const [single, grouped] = [server(), server()]
      const left = steps(seed, 60)
      while (left.length > 0) {
        const group = left.splice(0, random.integer('size', 1, 8))
        const expected = group.map((step) => single.alone(step))
        expect(grouped.together(group)).toEqual(expected)
        granted += expected.filter((reply) => Array.isArray(reply) && reply[0] === 1).length
        const ms = random.integer('pause', 0, 700)
        single.pass(ms)
        grouped.pass(ms)
      }
      expect(grouped.published).toEqual(single.published)
      expect([...grouped.data.snapshot()]).toEqual([...single.data.snapshot()])
    }
    expect(granted).toBeGreaterThan(500)
  })

  it('one that fails is told so as text, and the others are done all the same', () => {
    const { data, together } = server()
    data.call('RPUSH', keysOf('x')[0] as string, 'not a lock')
    const acquire = (name: string): Step => ({ operation: 'acquire', name, args: ['a about', '1000', '0 0 '] })
    const replies = together([acquire('y'), acquire('x'), acquire('z')]) as readonly Reply[]
    expect(replies[0]).toEqual([1, expect.any(String)])
    expect(replies[1]).toMatch(/^WRONGTYPE/)
    expect(replies[2]).toEqual([1, expect.any(String)])
  })
})
