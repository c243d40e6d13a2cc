/** One fight: an installation on one store, customers who order transfers, and strikes until the plan is through. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RandomStreams, type RunningPostgres } from '@lockstep/testkit'
import { listAll } from '../examples/bank/client.ts'
import type { TransferPattern } from '../examples/bank/transfer.ts'
import { check, isEscalation } from './checks.ts'
import { History } from './history.ts'
import { Load } from './load.ts'
import { planStrikes, type Strike } from './plan.ts'
import { type Installation, install, type Store } from './processes.ts'
import { comeToRest } from './rest.ts'
import { Samples } from './samples.ts'
import { counted, Striker } from './strike.ts'

export interface FightSettings {
  readonly name: string
  readonly store: Store
  readonly patterns: readonly TransferPattern[]
  readonly kills: number
  readonly seed: number
  readonly pointsHad: number
}

const strikesPerRound = 25

interface Parts {
  readonly installation: Installation
  readonly history: History
  readonly load: Load
  readonly samples: Samples
  readonly striker: Striker
}

/** True when every invariant held, and something was really tested. */
export async function fight(settings: FightSettings, postgres: RunningPostgres | null): Promise<boolean> {
  const { name, store, patterns, kills, seed, pointsHad } = settings
  const installation = await install(store, postgres)
  const parts = partsOf(settings, installation, postgres)
  const coordinators = installation.coordinators.length
  // A server of the user's is not killed.
  const killsPostgres = store === 'postgres' && postgres?.isPrivate === true
  const strikes = planStrikes({ seed, strikes: kills, patterns, coordinators, banks: 2, killsPostgres, pointsHad })
  console.log(
    `crash ${name} on ${store}: ${kills} strikes, ${coordinators} coordinator(s), seed ${seed}, history ${parts.history.file}`,
  )
  try {
    for (let first = 0; first < strikes.length; first += strikesPerRound) {
      const broken = await round(first, strikes.slice(first, first + strikesPerRound), parts)
      console.log(
        `  ${Math.min(strikes.length, first + strikesPerRound)} of ${strikes.length} strikes: ${parts.striker}; ${parts.load.transfers.size} transfers`,
      )
      for (const violation of broken.slice(0, 10)) console.log(`  BROKEN: ${violation}`)
      if (broken.length > 0) {
        showLogs(installation)
        return false
      }
    }
    return await report(parts)
  } catch (error) {
    console.log(`  BROKEN: ${error instanceof Error ? error.message : String(error)}`)
    showLogs(installation)
    return false
  } finally {
    parts.load.abandon()
    await parts.samples.stop()
    await installation.close()
  }
}

function showLogs({ coordinators, banks }: Installation): void {
  for (const victim of [...coordinators, ...banks]) console.log(`--- ${victim.name}\n${victim.log()}`)
}

function partsOf(
  { name, store, patterns, seed }: FightSettings,
  installation: Installation,
  postgres: RunningPostgres | null,
): Parts {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-history-'))
  const history = new History(join(folder, `${name}-${store}.jsonl`))
  const random = new RandomStreams(seed, () => {}).fork('load')
  return {
    installation,
    history,
    load: new Load({ installation, patterns, random, history }),
    samples: new Samples(installation),
    striker: new Striker(installation, postgres),
  }
}

/** Fire, then rest, then the books. Answers what is broken. */
async function round(first: number, strikes: readonly Strike[], parts: Parts): Promise<string[]> {
  const { installation, load, samples, striker, history } = parts
  load.start(first)
  samples.start()
  for (const one of strikes) await striker.strike(one)
  await load.stop()
  const held = await comeToRest(installation)
  await samples.stop()
  return [...samples.violations, ...held, ...(await check(installation, load, history))]
}

async function report({ installation, load, samples, striker }: Parts): Promise<boolean> {
  console.log(`  fail points that fired, of those armed: ${counted(striker.points)}`)
  if (striker.stalls.size > 0) console.log(`  held up: ${counted(striker.stalls)}`)
  const answers = [...load.answers].map(([answer, times]) => `${answer} ${times}`).sort()
  console.log(
    `  banks answered: ${answers.join(', ') || 'nothing'}; the books were read ${samples.taken} times during the fire`,
  )
  console.log(`  transfers ended: ${await endsOf(installation)}`)
  const idle = striker.provesNothing() ?? (samples.taken === 0 ? 'nobody has read the books during the fire' : null)
  if (idle !== null) console.log(`  BROKEN: ${idle}`)
  return idle === null
}

/** How many of each status; and how many of the committed ones the receiver has refused. */
async function endsOf({ coordinators }: Installation): Promise<string> {
  const all = await listAll(coordinators[0]?.url ?? '')
  const [ended, linked] = [all.filter((one) => !isEscalation(one)), all.filter(isEscalation)]
  const counts = [...Map.groupBy(ended, ({ status }) => status)].map(([status, ones]) => `${ones.length} ${status}`)
  return `${counts.sort().join(', ')}; escalated: ${linked.length}`
}
