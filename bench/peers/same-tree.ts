/**
 * `npm run peers:zookeeper`: our client of ZooKeeper and the maintained native one, side by side on one real server. Each makes nodes of
 * every kind, changes and removes what the other has made, and is told by watches what the other did. Both must see the same tree, to the
 * last field of each Stat. Every difference is told, and the program then ends with 1.
 */
import { startZooKeeper, zookeeperAvailable } from '@lockstep/testkit'
import { installNativeClient } from '../locks/peers.ts'
import { nativeModes } from './native-client.ts'
import { endOf, openItsNative, openOurs, type TreeClient } from './tree-client.ts'

type Both = readonly [ours: TreeClient, native: TreeClient]

const modes = Object.keys(nativeModes) as (keyof typeof nativeModes)[]
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const differences: string[] = []
let comparisons = 0

function compare(what: string, expected: unknown, found: unknown, [one, other] = ['ours', 'native']): void {
  comparisons += 1
  if (expected === found) return
  const [short, long] = [expected, found].map((value) => JSON.stringify(value)?.slice(0, 200))
  differences.push(`${what}: ${one} ${short}, ${other} ${long}`)
}

async function seeTheSame(clients: Both, paths: readonly string[]): Promise<void> {
  await Promise.all(clients.map((client) => client.sync()))
  for (const path of paths) {
    const [ours, native] = await Promise.all([clients[0].view(path), clients[1].view(path)])
    for (const field of Object.keys(ours)) compare(`${field} of ${path}`, ours[field], native[field])
  }
}

async function nodesOfEveryKind(clients: Both): Promise<void> {
  const [ours] = clients
  const paths = ['/', '/kinds']
  await ours.create('/kinds')
  for (const client of clients) {
    for (const mode of modes) {
      const path = await client.create(`/kinds/${client.name}-${mode}-`, mode, everyByte)
      const owner = mode.startsWith('ephemeral') ? client.sessionId : '0'
      const { ephemeralOwner } = await ours.view(path)
      compare(`the owner of ${path}`, owner, ephemeralOwner, ['made by', 'seen as'])
      paths.push(path)
    }
  }
  await seeTheSame(clients, paths)
}

/** Both append to the same sequence, so their numbers follow each other. */
async function oneSequence(clients: Both): Promise<void> {
  await clients[0].create('/line')
  for (let number = 0; number < 10; number += 1) {
    const client = clients[number % 2] as TreeClient
    const path = await client.create('/line/_c_-lock-', 'ephemeral-sequential')
    compare(`place ${number}`, `/line/_c_-lock-${String(number).padStart(10, '0')}`, path, ['expected', client.name])
  }
  await seeTheSame(clients, ['/line'])
}

async function dataOfEverySort(clients: Both): Promise<void> {
  // Not larger: an answer that comes in more than ten pieces ends the session of the native client.
  const sorts = { nothing: Buffer.alloc(0), text: Buffer.from('å 日本 \u{1f512}'), large: Buffer.alloc(60_000, 'x') }
  await clients[0].create('/data')
  for (const [maker, changer] of [clients, clients.toReversed()] as Both[]) {
    for (const [sort, data] of Object.entries(sorts)) {
      const path = await maker.create(`/data/${maker.name}-${sort}`, 'persistent', data)
      await seeTheSame(clients, [path])
      await changer.set(path, everyByte, 0)
      await maker.set(path, data, 1)
      await seeTheSame(clients, [path, '/data'])
      await changer.remove(path, 2)
    }
  }
  await seeTheSame(clients, ['/data'])
}

/** The server takes it away behind its last child, whoever made it and whoever took the child. */
async function containers(clients: Both): Promise<void> {
  for (const [maker, visitor] of [clients, clients.toReversed()] as Both[]) {
    const path = await maker.create(`/container-of-${maker.name}`, 'container')
    const gone = await Promise.all(clients.map((client) => client.watch('node', path)))
    await visitor.create(`${path}/child`, 'ephemeral')
    await seeTheSame(clients, [path])
    await visitor.remove(`${path}/child`)
    for (const [index, { told }] of gone.entries())
      compare(`a container made by ${maker.name}`, `deleted ${path}`, await told, [
        'expected',
        `${clients[index]?.name} was told`,
      ])
  }
}

/** What one may not do the other may not either, for the same reason. */
async function refusals(clients: Both): Promise<void> {
  await clients[0].create('/refused')
  await clients[0].create('/refused/child', 'ephemeral')
  const attempts: readonly (readonly [why: string, attempt: (client: TreeClient) => Promise<unknown>])[] = [
    ['BAD_VERSION', (client) => client.set('/refused', everyByte, 7)],
    ['BAD_VERSION', (client) => client.remove('/refused/child', 7)],
    ['NOT_EMPTY', (client) => client.remove('/refused')],
    ['NODE_EXISTS', (client) => client.create('/refused')],
    ['NO_NODE', (client) => client.create('/nowhere/child')],
    ['NO_CHILDREN_FOR_EPHEMERALS', (client) => client.create('/refused/child/grandchild')],
    ['NO_NODE', (client) => client.view('/nowhere')],
    ['NO_NODE', (client) => client.remove('/nowhere')],
  ]
  for (const [why, attempt] of attempts)
    for (const client of clients) compare(String(attempt), why, await endOf(attempt(client)), ['expected', client.name])
  await seeTheSame(clients, ['/refused', '/refused/child'])
}

/** Whoever does it, both are told, and of the same. */
async function watches(clients: Both): Promise<void> {
  const path = '/watched'
  for (const actor of clients) {
    const steps = [
      ['node', `created ${path}`, () => actor.create(path)],
      ['data', `changed ${path}`, () => actor.set(path, everyByte)],
      ['children', `children-changed ${path}`, () => actor.create(`${path}/child`, 'ephemeral')],
      ['data', `deleted ${path}/child`, () => actor.remove(`${path}/child`), `${path}/child`],
      ['node', `deleted ${path}`, () => actor.remove(path)],
    ] as const
    for (const [what, event, act, at = path] of steps) {
      const watching = await Promise.all(clients.map((client) => client.watch(what, at)))
      await act()
      for (const [index, { told }] of watching.entries())
        compare(`what ${actor.name} did`, event, await told, ['did', `${clients[index]?.name} was told`])
    }
  }
}

/** The other one is told that what was ephemeral goes, and then sees none of it. */
async function endOfSession(servers: string, [leaving, staying]: Both): Promise<void> {
  const gone = await staying.watch('data', `/kinds/${leaving.name}-ephemeral-`)
  await leaving.close()
  compare('the end of a session', `deleted /kinds/${leaving.name}-ephemeral-`, await gone.told, ['did', 'was told'])
  const witness = await (leaving.name === 'ours' ? openOurs : openItsNative)(servers)
  const clients = (leaving.name === 'ours' ? [witness, staying] : [staying, witness]) as Both
  await seeTheSame(clients, ['/kinds', '/line'])
  const { children } = await staying.view('/kinds')
  const left = String(children).split(' ')
  compare(
    'what is left',
    false,
    left.some((name) => name.startsWith(`${leaving.name}-ephemeral`)),
    ['expected', 'found'],
  )
  compare('what stays', 3, left.filter((name) => name.startsWith(`${leaving.name}-`)).length, ['expected', 'found'])
  await witness.close()
}

async function compareAll(servers: string): Promise<void> {
  const clients: Both = [await openOurs(servers), await openItsNative(servers)]
  const stories = { nodesOfEveryKind, oneSequence, dataOfEverySort, containers, refusals, watches }
  for (const [name, story] of Object.entries(stories)) await told(name, () => story(clients))
  await told('the end of the native session', () => endOfSession(servers, [clients[1], clients[0]]))
  const another = await openItsNative(servers)
  await told('the end of our session', () => endOfSession(servers, [clients[0], another]))
  await another.close()
}

async function told(name: string, story: () => Promise<void>): Promise<void> {
  const [before, wrong] = [comparisons, differences.length]
  await story()
  console.log(`${name}: ${comparisons - before} comparisons, ${differences.length - wrong} differences`)
}

const whyNot = await whyNotHere()
if (whyNot === null) {
  const server = await startZooKeeper({
    private: true,
    fsync: false,
    javaOptions: ['-Dznode.container.checkIntervalMs=200'],
  })
  await compareAll(server.servers).finally(() => server.stop())
  for (const difference of differences) console.error(`DIFFERENT ${difference}`)
  console.log(`${comparisons} comparisons, ${differences.length} differences`)
} else console.error(`The two clients cannot be compared here. ${whyNot}`)
if (whyNot !== null || differences.length > 0) process.exitCode = 1

async function whyNotHere(): Promise<string | null> {
  const found = zookeeperAvailable()
  if (!found.available) return found.reason
  return installNativeClient()
}
