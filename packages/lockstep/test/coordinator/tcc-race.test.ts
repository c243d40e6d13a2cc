/** Law 8 under contention: registrations and decisions of one TCC at once, in any order, over two instances and slow stores. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { branch, type Instance, tcc, World } from './world.ts'

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    ({ code }: { code: string }) => code,
  )
/** What the row has, whoever drives it. */
async function registered(world: World, id = 't'): Promise<string[]> {
  const { branches } = JSON.parse((await world.row(id)).definition) as { branches: { name: string }[] }
  return branches.map(({ name }) => name)
}

type Ask = { readonly what: string; readonly on: 0 | 1; readonly afterMs: number }
const asks = fc.array(
  fc.record({
    what: fc.constantFrom('a', 'b', 'c', 'd', 'commit', 'rollback'),
    on: fc.constantFrom(0 as const, 1 as const),
    afterMs: fc.nat(30),
  }),
  { minLength: 3, maxLength: 12 },
)

/** Asks everything in its time, under stores that take theirs, and tells how each was answered. */
async function askAll(world: World, instances: readonly Instance[], given: readonly Ask[], delays: readonly number[]) {
  const { timers } = world.time.process().environment
  const wait = (ms: number) => new Promise<void>((resolve) => void timers.after(ms, resolve))
  let commits = 0
  for (const { store } of instances) store.before = () => wait(delays[commits++ % delays.length] ?? 0)
  return given.map(async ({ what, on, afterMs }) => {
    await wait(afterMs)
    const { coordinator } = instances[on] as Instance
    const decides = what === 'commit' || what === 'rollback'
    const asked = decides ? coordinator.decide('t', what) : coordinator.register('t', branch(`bank.${what}`))
    return { what, answer: await codeOf(asked) }
  })
}

it('registrations and decisions in any order, over two instances: what was registered is what is called, and the first decision is final', async () => {
  await fc.assert(
    fc.asyncProperty(asks, fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), async (given, delays) => {
      const world = new World()
      const instances = [await world.start(), await world.start()]
      await instances[0]?.coordinator.begin(tcc('t', { deadline: 5_000 }))
      const asking = await askAll(world, instances, given, delays)
      await world.time.advance(2_000)
      const answers = await Promise.all(asking)
      const { status } = await world.settled('t')
      const operation = status === 'committed' ? 'confirm' : 'cancel'
      const ok = (what: string) => answers.some((one) => one.what === what && one.answer === 'ok')
      const names = ['a', 'b', 'c', 'd'].filter(ok)
      expect((await registered(world)).sort()).toEqual(names)
      expect(world.participants.named().sort()).toEqual(names.map((name) => `${name}.${operation}#1`))
      expect(ok(status === 'committed' ? 'rollback' : 'commit')).toBe(false)
      const refusals = new Set(answers.filter(({ answer }) => answer !== 'ok').map(({ answer }) => answer))
      refusals.delete('LOCKSTEP_DECIDED')
      refusals.delete(status === 'committed' ? 'LOCKSTEP_ALREADY_COMMITTING' : 'LOCKSTEP_ALREADY_ROLLING_BACK')
      expect([...refusals]).toEqual([])
    }),
    { numRuns: 150 },
  )
})
