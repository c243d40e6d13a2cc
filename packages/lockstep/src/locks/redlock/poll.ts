import type { RedlockNode } from './redlock-node.ts'
import type { Silence } from './trouble.ts'
import { Votes } from './votes.ts'

export type Vote = 'yes' | 'no' | 'silent'

export interface Poll<Answer> {
  readonly votes: Votes
  readonly answers: readonly { readonly node: RedlockNode; readonly answer: Answer }[]
  readonly silences: readonly Silence[]
  /** All have voted, or were too late; votes, answers and silences grow until then. */
  readonly finished: Promise<void>
}

/**
 * Asks every node at once and resolves at the first moment at which the vote is settled. Answers that come later are added, and change
 * nothing of the outcome.
 */
export function pollNodes<Answer>(
  nodes: readonly RedlockNode[],
  ask: (node: RedlockNode, isOpen: () => boolean) => Promise<Answer>,
  voteOf: (answer: Answer) => Vote,
): Promise<Poll<Answer>> {
  const votes = new Votes(nodes.length)
  const answers: { node: RedlockNode; answer: Answer }[] = []
  const silences: Silence[] = []
  return new Promise((resolve) => {
    const { promise: finished, resolve: finish } = Promise.withResolvers<void>()
    let open = nodes.length
    const settle = (): void => {
      open -= 1
      if (open === 0) finish()
      if (votes.outcome !== 'open') resolve({ votes, answers, silences, finished })
    }
    for (const node of nodes)
      ask(node, () => votes.outcome === 'open').then(
        (answer) => {
          answers.push({ node, answer })
          votes.count(voteOf(answer))
          settle()
        },
        (error: Error) => {
          silences.push({ node: node.name, error })
          votes.count('silent')
          settle()
        },
      )
  })
}
