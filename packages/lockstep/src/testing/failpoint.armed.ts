/**
 * Fail points, armed. Loads only under `node --conditions=lockstep-test`; no environment variable can arm a production process.
 *
 * `LOCKSTEP_FAILPOINTS="name=[p%][count*]task;…"`: tasks `off`, `exit` (SIGKILL to itself), `throw`, `sleep(ms)`, `pause`
 * (SIGSTOP to itself). `count*` counts down passes: `3*exit` lets two pass and fires at the third. After fail-rs.
 */

interface Armed {
  readonly task: string
  readonly argument: number
  readonly probability: number
  passesLeft: number
}

const armed = parse(process.env['LOCKSTEP_FAILPOINTS'] ?? '')
const passed = new Map<string, number>()

function parse(text: string): Map<string, Armed> {
  const points = new Map<string, Armed>()
  for (const part of text.split(';').filter((piece) => piece.trim() !== '')) {
    const match = /^\s*([\w.-]+)=(?:(\d+(?:\.\d+)?)%)?(?:(\d+)\*)?(off|exit|throw|sleep|pause)(?:\((\d+)\))?\s*$/.exec(
      part,
    )
    if (match === null) throw new Error(`LOCKSTEP_FAILPOINTS: "${part}" is not name=[p%][count*]task(arg)`)
    const [, name = '', percent, count, task = 'off', argument] = match
    points.set(name, {
      task,
      argument: Number(argument ?? 0),
      probability: percent === undefined ? 1 : Number(percent) / 100,
      passesLeft: Number(count ?? 1),
    })
  }
  return points
}

/** How often each point was passed: a harness that wants a kill in the middle first looks how far the middle is. */
export function passes(): ReadonlyMap<string, number> {
  return passed
}

export function failpoint(name: string): void | Promise<void> {
  passed.set(name, (passed.get(name) ?? 0) + 1)
  const point = armed.get(name)
  if (point === undefined || point.task === 'off' || Math.random() > point.probability) return
  point.passesLeft -= 1
  if (point.passesLeft > 0) return
  if (point.task === 'exit') process.kill(process.pid, 'SIGKILL')
  if (point.task === 'pause') process.kill(process.pid, 'SIGSTOP')
  if (point.task === 'throw') throw new Error(`fail point ${name}`)
  if (point.task === 'sleep') return new Promise((resolve) => setTimeout(resolve, point.argument))
}
