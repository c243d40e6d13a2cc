import { type BenchPattern, inputOf, requireStatus, waitMs } from './pattern.ts'
import { requireAnswer, versionIn } from './requests.ts'

const steps = ['debit', 'credit']

/** Two steps, one after the other; begin and decision are one. */
export const sagaOfTwo: BenchPattern = {
  name: 'saga',
  title: 'saga of two steps',
  untils: ['final'],
  participants: steps,
  relay: { on: 'begin', paths: steps.map((name) => `/${name}`), together: false },
  commitsAlone: { waited: 2, local: 0, all: 2 },
  byProtocol({ coordinator, businessUrl }) {
    const plan = steps.map((name, at) => ({
      name,
      action: `${businessUrl}/${name}`,
      compensate: `${businessUrl}/${name}/undo`,
      input: inputOf(at),
    }))
    const rest = `"pattern":"saga","wait":${waitMs},"steps":${JSON.stringify(plan)}`
    return async (id) => {
      const answer = await coordinator.post('/v1/transactions', `{"id":"${id}",${rest}}`)
      return versionIn(requireAnswer(answer, 200, 'committed'))
    }
  },
  byLibrary({ coordinator, until }) {
    const plan = steps.map((name, at) => ({ name, participant: `bank.${name}`, input: inputOf(at) }))
    const runnable = { body: () => ({ pattern: 'saga' as const, steps: plan }) }
    return async (id) => {
      const { status } = await coordinator.run(runnable, null, { id, wait: waitMs })
      requireStatus(id, status, until)
      return 0
    }
  },
}
