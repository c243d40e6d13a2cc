import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Starts another process that opens the file and writes to it, and answers once it has acknowledged `batches`. */
export async function startWriter(path: string, batches: number): Promise<{ kill(): Promise<number> }> {
  const program = fileURLToPath(new URL('./writer-program.ts', import.meta.url))
  const conditions = ['--conditions=lockstep-source', '--conditions=lockstep-test']
  const child = spawn(process.execPath, [...conditions, program, path], { stdio: ['ignore', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += String(chunk)
  })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let acknowledged = -1
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line !== 'open') acknowledged = Number(line)
      if (acknowledged + 1 >= batches) resolve()
    })
    void exited.then(() => reject(new Error(`The writer ended early: ${errors}`)))
  })
  return {
    /** Kills it with SIGKILL and answers the number of batches that it had acknowledged. */
    async kill() {
      child.kill('SIGKILL')
      await exited
      return acknowledged + 1
    },
  }
}
