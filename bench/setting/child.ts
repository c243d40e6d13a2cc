/** A process of the bench's own that answers one question at a time, and ends with the bench. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child<Question, Answer> {
  readonly pid: number
  ask(question: Question): Promise<Answer>
  stop(): Promise<void>
}

/** `file` is beside the caller; `flags` are for Node, such as those of a profile. */
export function startChild<Question extends object, Answer>(
  file: URL,
  flags: readonly string[] = [],
): Child<Question, Answer> {
  const execArgv = ['--disable-warning=ExperimentalWarning', ...flags]
  const child = fork(fileURLToPath(file), { execArgv, serialization: 'advanced' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    pid: child.pid ?? 0,
    ask: (question) => answerOf<Answer>(child, question),
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}

function answerOf<Answer>(child: ChildProcess, question: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`${child.spawnfile} ended with ${code} before it answered.`))
    child.once('exit', onExit)
    child.once('message', (message: { readonly error?: string; readonly answer?: Answer }) => {
      child.off('exit', onExit)
      if (message.error === undefined) resolve(message.answer as Answer)
      else reject(new Error(message.error))
    })
    child.send(question, (error) => error && reject(error))
  })
}

/** The child's side. When the bench goes away, so does the child; `close` runs before. */
export function answerQuestions<Question, Answer>(
  answer: (question: Question) => Promise<Answer>,
  close: () => Promise<void> = async () => {},
): void {
  process.on('message', (question) => {
    answer(question as Question).then(
      (answered) => process.send?.({ answer: answered }),
      (error: unknown) =>
        process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  process.once('disconnect', () => void close().finally(() => process.exit(0)))
}
