import { type BenchPattern, commitPath, inputOf, requireDecision, requireStatus, waitOption } from './pattern.ts'
import { requireAnswer, versionIn } from './requests.ts'

const branches = ['seats', 'payments']

/** Two branches, each registered and then tried by the initiator, one after the other; then the commit. */
export const tccOfTwo: BenchPattern = {
  name: 'tcc',
  title: 'TCC of two branches',
  untils: ['final', 'decided'],
  participants: branches,
  relay: { on: 'commit', paths: branches.map((name) => `/${name}/confirm`), together: true },
  commitsAlone: { waited: 4, local: 0, all: 5 },
  byProtocol({ coordinator, business, businessUrl, until }) {
    const plan = branches.map((name, at) => {
      const url = `${businessUrl}/${name}`
      const input = inputOf(at)
      const registration = JSON.stringify({ name, confirm: `${url}/confirm`, cancel: `${url}/cancel`, input })
      return { registration, tryPath: `/${name}/try`, input: JSON.stringify(input) }
    })
    return async (id) => {
      const begun = await coordinator.post('/v1/transactions', `{"id":"${id}","pattern":"tcc"}`)
      requireAnswer(begun, 202, 'prepared')
      for (const { registration, tryPath, input } of plan) {
        requireAnswer(await coordinator.post(`/v1/transactions/${id}/branches`, registration), 201)
        requireAnswer(await business.post(tryPath, input), 200)
      }
      return versionIn(requireDecision(await coordinator.post(commitPath(id, until), null), until))
    }
  },
  byLibrary({ coordinator, until }) {
    return async (id) => {
      const { status } = await coordinator.tcc({ id, ...waitOption(until) }, async (scope) => {
        for (const [at, name] of branches.entries()) await scope.try({ name: `bank.${name}` }, inputOf(at))
      })
      requireStatus(id, status, until)
      return 0
    }
  },
}
