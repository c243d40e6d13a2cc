import { afterAll } from 'vitest'
import { type InProcessServer, inProcessServer, newId } from './in-process-server.ts'
import { type PlainParticipant, plainParticipant } from './plain-participant.ts'

export interface ServerAndBank {
  readonly server: InProcessServer
  readonly bank: PlainParticipant
  /** A step that calls the bank at `/<name>` and `/un<name>`. */
  step(name?: string, more?: object): { readonly name: string }
  /** The body of a saga with a new id and one step. */
  saga<More extends object = object>(more?: More): { readonly id: string; readonly steps: readonly object[] } & More
}

/** A server and a participant for the test file that calls this while it is loaded; they end with it. */
export async function serverAndBank(): Promise<ServerAndBank> {
  const bank = await plainParticipant()
  const server = await inProcessServer()
  afterAll(async () => {
    await server.stop()
    await bank.close()
  })
  const step = (name = 'debit', more: object = {}) => ({
    name,
    action: `${bank.url}/${name}`,
    compensate: `${bank.url}/un${name}`,
    ...more,
  })
  return { server, bank, step, saga: (more) => ({ id: newId(), pattern: 'saga', steps: [step()], ...more }) as never }
}
