import { type BenchPattern, commitPath, inputOf, requireDecision, requireStatus, waitOption } from './pattern.ts'
import { requireAnswer, versionIn } from './requests.ts'

/** The half message, then the commit. By the protocol there is no local transaction between the two; by the library a row of SQLite. */
export function messageTo(deliveries: 1 | 2): BenchPattern {
  const receivers = ['points', 'mail'].slice(0, deliveries)
  const paths = receivers.map((name) => `/${name}/deliver`)
  return {
    name: `message-${deliveries}`,
    title: deliveries === 1 ? 'message with one delivery' : 'message with two deliveries',
    untils: ['final', 'decided'],
    participants: receivers,
    relay: { on: 'commit', paths, together: true },
    commitsAlone: { waited: 2, local: 1, all: 3 },
    byProtocol({ coordinator, businessUrl, until }) {
      const given = paths.map((path, at) => ({ to: businessUrl + path, payload: inputOf(at) }))
      const half = `"pattern":"message","checkBack":"${businessUrl}/_check","deliveries":${JSON.stringify(given)}`
      return async (id) => {
        requireAnswer(await coordinator.post('/v1/transactions', `{"id":"${id}",${half}}`), 202, 'prepared')
        return versionIn(requireDecision(await coordinator.post(commitPath(id, until), null), until))
      }
    },
    byLibrary({ coordinator, until, local }) {
      const to = receivers.map((name) => ({ name: `bank.${name}` }))
      return async (id) => {
        const half = { id, to, payload: inputOf(0), checkBack: 'bank', ...waitOption(until) }
        const { status } = await coordinator.send(half, { transaction: local })
        requireStatus(id, status, until)
        return 0
      }
    },
  }
}
