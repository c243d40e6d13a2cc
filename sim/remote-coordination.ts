/**
 * A coordinator as a client process sees it over a network that loses requests and replies. It asks again under the same id, as the
 * client over HTTP does, and says `unknown` when its patience ends; what it had sent may still arrive.
 */
import type { RandomStream, SimulatedNode } from '@lockstep/testkit'
import { type Coordination, isLockstepError, LockstepError, type TransactionBody } from 'lockstep'
import type { Installation, RunningCoordinator } from './installation.ts'

const answerWithinMs = 10_000
const patienceMs = 10_000
const pauseMaxMs = 2_000

type Answer<T> = { readonly value: T } | { readonly error: unknown }
type Ask = <T>(what: string, run: (coordinator: RunningCoordinator['coordinator']) => Promise<T>) => Promise<T>

export function remoteCoordination(installation: Installation, node: SimulatedNode): Coordination {
  const wire = new Wire(installation, node)
  const ask: Ask = (what, run) => wire.ask(what, run)
  const { watcher } = installation
  const shown = <T extends TransactionBody>(body: T): T => {
    watcher.shown(body.id, body.status)
    return body
  }
  return {
    begin: (body) =>
      ask(`begin ${body.id}`, async (coordinator) => {
        const answer = await coordinator.begin(body)
        shown(answer.transaction)
        return answer
      }),
    register: (id, branch) =>
      ask(`register ${id}/${branch.name}`, async (coordinator) => {
        const answer = await coordinator.register(id, branch)
        watcher.expectBranch(id, branch.name)
        shown(answer.transaction)
        return answer
      }),
    decide: (id, decision, options) =>
      ask(`${decision} ${id}`, async (coordinator) => shown(await coordinator.decide(id, decision, options))),
    get: (id, options) =>
      ask(`get ${id}`, async (coordinator) => {
        const body = await coordinator.get(id, options)
        return body === null ? null : shown(body)
      }),
    list: (filter) => ask('list', (coordinator) => coordinator.list(filter)),
    act: (id, request) => ask(`act ${id}`, async (coordinator) => shown(await coordinator.act(id, request))),
  }
}

class Wire {
  readonly #installation: Installation
  readonly #node: SimulatedNode
  readonly #random: RandomStream

  constructor(installation: Installation, node: SimulatedNode) {
    this.#installation = installation
    this.#node = node
    this.#random = installation.streams.fork('wire')
  }

  async ask<T>(what: string, run: (coordinator: RunningCoordinator['coordinator']) => Promise<T>): Promise<T> {
    const { clock } = this.#node.environment
    const startedMs = clock.monotonicMs()
    for (;;) {
      const answer = await this.#try(what, run)
      if (answer !== null && 'value' in answer) return copied(answer.value)
      const error = answer === null ? unreachable(what) : answer.error
      const isPassing = isLockstepError(error) && error.retriable
      if (!isPassing || clock.monotonicMs() - startedMs >= patienceMs) throw error
      const pauseMs = this.#random.integer('client pause', 50, pauseMaxMs)
      await new Promise<void>((resolve) => this.#node.deliver(pauseMs, `asks again: ${what}`, resolve))
    }
  }

  /** Null when there was no answer. A proxy in between may send the request a second time. */
  #try<T>(
    what: string,
    run: (coordinator: RunningCoordinator['coordinator']) => Promise<T>,
  ): Promise<Answer<T> | null> {
    const { lostRequest, lostReply, delayMaxMs, duplicate } = this.#installation.faults.network
    const random = this.#random
    const isLost = random.chance('lost request', lostRequest)
    const isReplyLost = random.chance('lost reply', lostReply)
    const isTwice = random.chance('request twice', duplicate)
    const thereMs = random.integer('there', 0, delayMaxMs)
    const secondMs = random.integer('second', 0, 3 * delayMaxMs)
    const backMs = random.integer('back', 0, delayMaxMs)
    return new Promise((resolve) => {
      this.#node.deliver(answerWithinMs, `no answer: ${what}`, () => resolve(null))
      const answered = (answer: Answer<T>): void => {
        if (!isReplyLost) this.#node.deliver(backMs, `answer: ${what}`, () => resolve(answer))
      }
      if (!isLost) this.#arrive({ what, afterMs: thereMs }, run, answered)
      if (isTwice) this.#arrive({ what: `${what} (twice)`, afterMs: thereMs + secondMs }, run, () => {})
    })
  }

  #arrive<T>(
    { what, afterMs }: { what: string; afterMs: number },
    run: (coordinator: RunningCoordinator['coordinator']) => Promise<T>,
    answered: (answer: Answer<T>) => void,
  ): void {
    const { scheduler, settings } = this.#installation
    const number = this.#random.integer('which coordinator', 0, settings.coordinators - 1)
    scheduler.after(afterMs, `coordinator-${number} gets ${what}`, () => {
      const there = this.#installation.running(number)
      if (there === null) answered({ error: refusedSocket(what) })
      else there.node.deliver(0, what, () => this.#run(there, run, answered))
    })
  }

  #run<T>(
    there: RunningCoordinator,
    run: (coordinator: RunningCoordinator['coordinator']) => Promise<T>,
    answered: (answer: Answer<T>) => void,
  ): void {
    const reply = (answer: Answer<T>): void => {
      if (there.node.alive) answered(answer)
    }
    run(there.coordinator).then(
      (value) => reply({ value }),
      (error: unknown) => reply({ error }),
    )
  }
}

/** As over a wire: what one side does to it never reaches the other. */
function copied<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

function unreachable(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_UNREACHABLE', { message: `No answer: ${what}.`, outcome: 'unknown' })
}

function refusedSocket(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_UNREACHABLE', { message: `Nobody listens: ${what}.`, outcome: 'not-applied' })
}
