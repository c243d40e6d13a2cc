/** `lockstep serve` as it is installed: the built package, in a process of its own. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, startServiceProcess } from '@lockstep/testkit'

const program = fileURLToPath(new URL('../../packages/server/bin/lockstep.js', import.meta.url))

export interface CoordinatorProcess {
  readonly pid: number
  readonly url: string
  /** What it drives now, by its own count. */
  activeTransactions(): Promise<number>
  stop(): Promise<void>
}

export interface CoordinatorSettings {
  readonly directory: string
  readonly store: string
  readonly services: Readonly<Record<string, { readonly url: string; readonly barrier: boolean }>>
  /** Flags for Node, such as those of a profile. */
  readonly flags?: readonly string[]
}

let started = 0

export async function startCoordinator(settings: CoordinatorSettings): Promise<CoordinatorProcess> {
  started += 1
  const name = `coordinator-${started}`
  const directory = join(settings.directory, name)
  mkdirSync(directory)
  const services = join(directory, 'services.json')
  writeFileSync(services, JSON.stringify(settings.services))
  const [port = 0] = await freePorts(1)
  const url = `http://127.0.0.1:${port}`
  const serve = [
    'serve',
    '--port',
    String(port),
    '--store',
    settings.store,
    '--services',
    services,
    '--log-level',
    'warn',
  ]
  const args = [...(settings.flags ?? []), program, ...serve]
  const running = startServiceProcess({ name, command: process.execPath, args, directory })
  await running.ready(() => isReady(url), 20_000)
  return {
    pid: running.pid,
    url,
    activeTransactions: async () => activeIn(await (await fetch(`${url}/metrics`)).text()),
    stop: () => running.kill('SIGTERM'),
  }
}

function activeIn(metrics: string): number {
  const [, active] = /^lockstep_active_transactions (\d+)/m.exec(metrics) ?? []
  if (active === undefined) throw new Error('The coordinator does not say how many transactions it drives.')
  return Number(active)
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`)
  await response.body?.cancel()
  return response.ok
}
