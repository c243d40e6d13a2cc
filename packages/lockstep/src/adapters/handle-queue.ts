import { BarrierBusy } from '../ports/index.ts'

const tails = new WeakMap<object, Promise<void>>()

/**
 * One connection has one transaction, so work on one handle runs one after the other, in the order of the calls. Whoever
 * waits longer than `waitMs` fails with `BarrierBusy` and leaves the queue.
 */
export async function inTurn<Result>(handle: object, waitMs: number, work: () => Promise<Result>): Promise<Result> {
  const before = tails.get(handle)
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
  const tail = before === undefined ? finished : before.then(() => finished)
  tails.set(handle, tail)
  // Only once everybody before has ended too: whoever gave up waiting must not open the way for the next.
  void tail.then(() => {
    if (tails.get(handle) === tail) tails.delete(handle)
  })
  try {
    if (before !== undefined && !(await endsWithin(before, waitMs))) {
      throw new BarrierBusy('Other work holds this database connection.')
    }
    return await work()
  } finally {
    finish()
  }
}

function endsWithin(work: Promise<void>, waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), waitMs)
    void work.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
