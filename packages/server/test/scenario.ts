/**
 * One scenario over all patterns. It knows a coordinator by its methods alone, and answers what it saw: whoever runs it, embedded or over
 * `connect`, must see the same.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Branch,
  type Coordination,
  checkBack,
  createHandler,
  type Initiator,
  isLockstepError,
  nodeListener,
  participant,
  refuse,
  saga,
  type TransactionBody,
} from 'lockstep'
import { memoryBarrier, memoryDatabase } from 'lockstep/memory-database'
import { z } from 'zod'

export type ScenarioCoordinator = Coordination & Initiator<Branch>

/** Services of a small shop, with one database, and a ledger of what took effect. */
export function shop() {
  const db = memoryDatabase()
  const effects: string[] = []
  const input = z.object({ item: z.string() })
  const note = (what: string) => (given: { item: string }, branch: Branch) =>
    branch.transact(db, () => {
      effects.push(`${what} ${given.item} for ${branch.transaction}`)
      return { what, item: given.item }
    })
  const noted = (what: string) => {
    const work = note(what)
    return (given: { item: string }, branch: Branch) =>
      given.item === 'nothing' ? refuse({ code: 'sold-out' }) : work(given, branch)
  }
  const pack = participant('shop.pack', { input, action: noted('pack'), compensate: note('unpack') })
  const ship = participant('shop.ship', { input, action: noted('ship') })
  const hold = participant('shop.hold', { input, try: noted('hold'), confirm: note('sell'), cancel: note('free') })
  const tell = participant('shop.tell', { input, deliver: noted('tell') })
  const participants = [pack, ship, hold, tell]
  return { db, effects, pack, ship, hold, tell, participants, check: checkBack('shop', { pool: db }), note }
}

export type Shop = ReturnType<typeof shop>
export const databases = [memoryBarrier()]

/** Serves the shop over HTTP, and a services file that names it. */
export async function serveShop({ participants, check }: Shop) {
  const server = createServer(nodeListener(createHandler({ participants, checkBack: check, databases })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-scenario-'))
  const file = join(folder, 'services.json')
  const services = { shop: { url, barrier: true } }
  writeFileSync(file, JSON.stringify(services))
  return {
    file,
    services,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

type Step = (coordinator: ScenarioCoordinator, shop: Shop, id: string) => Promise<unknown>

const local = ({ db, effects }: Shop, id: string) => ({
  transaction: (branch: Branch) => branch.transact(db, () => void effects.push(`paid for ${id}`)),
})

export const steps = {
  'saga-commits': (c, { pack, ship }, id) =>
    c.run(saga('order').step('pack', pack).step('ship', ship), { item: 'tea' }, { id }),
  'saga-rolls-back': (c, { pack, ship }, id) => {
    const order = saga('order')
      .step('pack', pack)
      .step('ship', ship, { input: () => ({ item: 'nothing' }) })
    return c.run(order, { item: 'tea' }, { id })
  },
  'tcc-commits': (c, { hold }, id) =>
    c.tcc({ id, wait: '10s' }, async (t) => {
      const first = await t.try(hold, { item: 'tea' })
      const second = await t.try(hold, { item: 'cup' })
      return [first, second]
    }),
  'tcc-again': async (c, { hold }, id) => {
    await c.tcc({ id, wait: '10s' }, (t) => t.try(hold, { item: 'tea' }))
    return c.tcc({ id, wait: '10s' }, (t) => t.try(hold, { item: 'tea' }))
  },
  'tcc-throws': (c, { hold }, id) =>
    c.tcc({ id }, async (t) => {
      await t.try(hold, { item: 'tea' })
      throw new Error('changed my mind')
    }),
  'tcc-refused': (c, { hold }, id) =>
    c.tcc({ id }, async (t) => {
      await t.try(hold, { item: 'tea' })
      await t.try(hold, { item: 'nothing' })
    }),
  'tcc-refused-and-caught': (c, { hold }, id) =>
    c.tcc({ id }, async (t) => {
      await t.try(hold, { item: 'tea' })
      await t.try(hold, { item: 'nothing' }).catch(() => 'never mind')
      return 'fine'
    }),
  'tcc-forgotten': async (c, { hold }, id) => {
    await c.begin({ id, pattern: 'tcc', deadline: 300 })
    await c.register(id, { name: 'tea', participant: hold.name, input: { item: 'tea' } })
    return c.get(id, { waitMs: 10_000 })
  },
  'tcc-registers-late': async (c, { hold }, id) => {
    await c.begin({ id, pattern: 'tcc' })
    await c.decide(id, 'commit', { waitMs: 5_000 })
    return c.register(id, { name: 'tea', participant: hold.name })
  },
  'tcc-commit-after-rollback': async (c, _, id) => {
    await c.begin({ id, pattern: 'tcc' })
    await c.decide(id, 'rollback', { waitMs: 5_000 })
    return c.decide(id, 'commit')
  },
  'message-commits': (c, shop, id) =>
    c.send(
      { id, to: [shop.tell, { to: shop.tell, name: 'late', delay: 50 }], payload: { item: 'tea' }, wait: '10s' },
      local(shop, id),
    ),
  'message-again': async (c, shop, id) => {
    const message = { id, to: [shop.tell], payload: { item: 'tea' }, wait: '10s' } as const
    await c.send(message, local(shop, id))
    return c.send(message, local(shop, id))
  },
  'message-throws': async (c, { tell, db }, id) => {
    const work = (branch: Branch) =>
      branch.transact(db, () => {
        throw new Error('no money')
      })
    return c.send({ id, to: [tell], payload: { item: 'tea' } }, { transaction: work })
  },
  'message-throws-before': (c, { tell }, id) =>
    c.send({ id, to: [tell], payload: { item: 'tea' } }, { transaction: () => Promise.reject(new Error('too early')) }),
  'message-after-its-check': async (c, shop, id) => {
    const message = { id, to: [shop.tell], payload: { item: 'tea' } }
    await c.begin({
      id,
      pattern: 'message',
      checkBack: 'shop',
      deliveries: [{ to: 'shop.tell', payload: message.payload }],
    })
    await c.decide(id, 'rollback', { waitMs: 10_000 })
    return c.send(message, local(shop, id))
  },
  'message-whose-producer-dies-after-its-commit': async (c, shop, id) => {
    // It commits and is never heard of again: the check-back decides.
    const dies = (branch: Branch) =>
      branch.transact(shop.db, () => void shop.effects.push(`paid for ${id}`)).then(() => new Promise<never>(() => {}))
    void c.send({ id, to: [shop.tell], payload: { item: 'tea' }, checkAfter: 200 }, { transaction: dies })
    return eventuallyEnded(c, id)
  },
  'message-refused-is-held': async (c, shop, id) => {
    const to = [{ to: shop.tell, name: 'no' }]
    return c.send({ id, to, payload: { item: 'nothing' }, wait: '10s' }, local(shop, id))
  },
  'list-by-label': async (c, { pack }, id) => {
    await c.run(saga('one').step('pack', pack), { item: 'tea' }, { id, labels: { scenario: id } })
    return (await c.list({ labels: { scenario: id } })).items
  },
  'skip-what-is-held': async (c, shop, id) => {
    await c.send(
      { id, to: [{ to: shop.tell, name: 'no' }], payload: { item: 'nothing' }, wait: '10s' },
      local(shop, id),
    )
    await c.act(id, { action: 'skip', branch: 'no', reason: 'scenario' })
    return c.get(id, { waitMs: 10_000 })
  },
} satisfies Readonly<Record<string, Step>>

async function eventuallyEnded(coordinator: ScenarioCoordinator, id: string): Promise<TransactionBody | null> {
  for (;;) {
    const transaction = await coordinator.get(id, { waitMs: 10_000 })
    if (transaction !== null) return transaction
  }
}

export interface Seen {
  readonly answer: unknown
  readonly transaction: unknown
  readonly effects: readonly string[]
}

/** What each step answered or threw, how its transaction ended, and what took effect. */
export async function runScenario(coordinator: ScenarioCoordinator, place: Shop): Promise<Record<string, Seen>> {
  const seen: Record<string, Seen> = {}
  for (const [id, step] of Object.entries(steps)) {
    const answer = await step(coordinator, place, id).then(timeless, thrown)
    const transaction = await coordinator.get(id, { waitMs: 10_000 })
    seen[id] = {
      answer,
      transaction: transaction === null ? null : timeless(transaction),
      effects: place.effects.splice(0),
    }
  }
  return seen
}

function thrown(error: unknown) {
  return { threw: isLockstepError(error) ? error.code : error instanceof Error ? error.message : String(error) }
}

const times = [
  'createdAt',
  'updatedAt',
  'endedAt',
  'deadlineAt',
  'startedAt',
  'durationMs',
  'since',
  'store',
  'version',
]

/** Without what two runs need not have in common. */
function timeless(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null, (key, inner) => (times.includes(key) ? undefined : inner)))
}
