import type { Json } from '../ports/index.ts'
import type { Initiated, Initiating } from './initiating.ts'
import type { SendOptions } from './message/half-message.ts'
import { type LocalWork, send } from './message/send.ts'
import { type Runnable, type RunOptions, type RunOutcome, run } from './run.ts'
import { initiate, type TccOptions } from './tcc/initiate.ts'
import type { TccScope } from './tcc/trials.ts'

/** What a service does with a coordinator; the same whether that is embedded or at the other end of a URL. */
export interface Initiator<Branch> {
  /**
   * Begins a saga and waits for its end.
   *
   * @example
   * const outcome = await coordinator.run(transfer, { from, to, amount }, { id: 'order-42' })
   */
  run<Input, Output>(runnable: Runnable<Input, Output>, input: Input, options: RunOptions): Promise<RunOutcome<Output>>
  /**
   * Tries branches, then commits; rolls back when the function throws, or when any try has not ended `done`.
   *
   * **Guarantees** that every branch is registered durably before its try, so that a crash at any moment leaves nothing frozen beyond
   * the deadline. Resolves when the decision to commit is durable; confirms follow.
   * **Does not guarantee** isolation beyond what the tries reserve.
   * Fails with what the function threw, with `LOCKSTEP_ROLLED_BACK`, with `LOCKSTEP_ALREADY_ROLLING_BACK` when the deadline won, and
   * with an `unknown` outcome when the commit was not answered: call it again with the same id. The function then runs again, as long as
   * nothing is decided: let it try the same branches with the same input, in the same order.
   *
   * @example
   * await coordinator.tcc({ id }, async (t) => {
   *   const seat = await t.try(seats.hold, { flight, seat })
   *   await t.try(payments.freeze, { account, amount: seat.price })
   * })
   */
  tcc<Result>(options: TccOptions, body: (scope: TccScope) => Promise<Result>): Promise<Initiated<Result>>
  /**
   * Sends a reliable message: it is delivered if and only if the local transaction commits.
   *
   * **Guarantees** that a committed local transaction leads to delivery at least once, and a rolled-back one never.
   * **Does not guarantee** when. The effect at the receiver is once because of its barrier.
   * Fails with what the function threw, with `LOCKSTEP_ROLLED_BACK` for an id that was rolled back, and with an `unknown` outcome when
   * the commit was not answered: the check-back decides then, and the same call again finds out.
   *
   * @example
   * await coordinator.send({ id, to: [award], payload }, {
   *   transaction: (branch) => branch.transact(pool, (tx) => pay(tx, order)),
   * })
   */
  send<Payload, Result, Input = Json>(
    options: SendOptions<Payload, Input>,
    work: LocalWork<Branch, Result>,
  ): Promise<Initiated<Result>>
}

export function initiatorOver<Branch>(by: Initiating<Branch>): Initiator<Branch> {
  return {
    run: (runnable, input, options) => run(by.coordination, { runnable, input }, options),
    tcc: (options, body) => initiate(options, body, by),
    send: (options, work) => send(options, work, by),
  }
}
