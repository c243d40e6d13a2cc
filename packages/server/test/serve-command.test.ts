import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, workPlace } from './child-process.ts'
import { commandHere } from './command-here.ts'
import { freePort, type PlainParticipant, plainParticipant } from './plain-participant.ts'

const place = workPlace()
let bank: PlainParticipant

beforeAll(async () => {
  bank = await plainParticipant()
  bank.on('/never?key=canary-3', () => ({ status: 425, headers: { 'retry-after': '3600' } }))
})

afterAll(async () => {
  await bank.close()
  await place.clear()
})

describe('migrate', () => {
  it('up makes the schema, status shows it, sql and barrier print it', async () => {
    const store = `sqlite:${join(place.folder, 'migrated.db')}`
    const before = JSON.parse((await commandHere(['migrate', 'status', '--store', store, '--json'])).stdout) as {
      steps: object[]
    }
    expect(before.steps[0]).toMatchObject({ applied: false, known: true })
    expect((await commandHere(['migrate', 'up', '--store', store])).stdout).toContain('applied 001')
    expect((await commandHere(['migrate', 'up', '--store', store])).stdout).toContain('up to date')
    expect((await commandHere(['migrate', 'status'], { LOCKSTEP_STORE: store })).stdout).toMatch(/001\S* +applied/)
    expect((await commandHere(['migrate', 'sql', '--dialect', 'postgres', '--schema', 'own'])).stdout).toContain('own')
    expect((await commandHere(['migrate', 'barrier', '--dialect', 'sqlite'])).stdout).toMatch(
      /^create table if not exists lockstep_barrier/,
    )
  })

  it('of a store that is in use or in memory is refused', async () => {
    const served = await place.serve(['--store', place.store])
    expect(await commandHere(['migrate', 'up', '--store', place.store])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('LOCKSTEP_STORE_LOCKED'),
    })
    served.child.kill('SIGTERM')
    await served.finished
    expect(await commandHere(['migrate', 'up', '--store', 'memory:'])).toMatchObject({ code: 1 })
  })
})

describe('serve', () => {
  it('says in one line where it listens, and keeps its store where it was started', async () => {
    const port = await freePort()
    const served = await place.serve(['--port', String(port)])
    expect(served.stdout().split('\n')[0]).toBe(
      JSON.stringify({
        event: 'listening',
        url: `http://127.0.0.1:${port}`,
        store: 'sqlite:./lockstep.db',
        pid: served.child.pid,
      }),
    )
    const again = await runCommand(['serve', '--port', String(port), '--store', 'memory:'])
    expect(again).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(`127.0.0.1:${port}: another program uses this port`),
    })
    expect(again.stderr).not.toMatch(/\n\s+at /)
    const second = await runCommand(['serve', '--port', '0'], { cwd: place.folder })
    expect(second).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('LOCKSTEP_STORE_LOCKED') })
    served.child.kill('SIGINT')
    expect(await served.finished).toMatchObject({ code: 0 })
  })

  it('reads flags before the environment before the file', async () => {
    const file = join(place.folder, 'settings.json')
    const port = await freePort()
    writeFileSync(join(place.folder, 'services.json'), JSON.stringify({ bank: { url: bank.url } }))
    writeFileSync(file, JSON.stringify({ port: 1, store: 'memory:', logLevel: 'silent', services: 'services.json' }))
    const environment = {
      LOCKSTEP_CONFIG: file,
      LOCKSTEP_PORT: '2',
      LOCKSTEP_HOST: 'localhost',
      LOCKSTEP_KEY: 'for the client',
    }
    const served = await place.serve(['--port', String(port)], { environment })
    expect(JSON.parse(served.stdout())).toMatchObject({ url: `http://localhost:${port}`, store: 'memory:' })
    served.child.kill('SIGTERM')
    expect((await served.finished).stdout.trim().split('\n')).toHaveLength(1)
  })

  it('takes the store from a file, and never shows its password', async () => {
    const file = join(place.folder, 'store-url')
    writeFileSync(file, 'postgres://lockstep:canary-2718@127.0.0.1:1/lockstep?password=canary-3141\n')
    const finished = await runCommand(['serve', '--port', '0', '--log-level', 'debug'], {
      environment: { LOCKSTEP_STORE_FILE: file },
    })
    expect(finished).toMatchObject({ code: 1, stderr: expect.stringContaining('LOCKSTEP_STORE_UNAVAILABLE') })
    expect(finished.stdout + finished.stderr).not.toContain('canary')
  })

  const file = (name: string, text: string) => {
    writeFileSync(join(place.folder, name), text)
    return join(place.folder, name)
  }
  const refusals: readonly (readonly [
    what: string,
    run: () => readonly [args: string[], environment?: Record<string, string>],
    code: number,
    says: string,
  ])[] = [
    ['a public host', () => [['--host', '0.0.0.0']], 2, 'no API key'],
    ['another public host', () => [[], { LOCKSTEP_HOST: '::' }], 2, 'no API key'],
    ['an unknown LOCKSTEP_ key', () => [[], { LOCKSTEP_PROT: '1' }], 2, 'LOCKSTEP_PROT'],
    ['an unknown key in the file', () => [['--config', file('unknown.json', '{"prot":1}')]], 2, 'prot'],
    ['a file that is no JSON', () => [['--config', file('broken.json', '{"store":"canary')]], 2, 'not valid JSON'],
    ['a file that is not there', () => [['--config', join(place.folder, 'none.json')]], 2, 'cannot be read'],
    ['a port that is none', () => [['--port', 'http']], 2, '--port must be a whole number'],
    ['a port from the environment that is none', () => [[], { LOCKSTEP_PORT: '70000' }], 2, 'LOCKSTEP_PORT must be'],
    ['a log level that is none', () => [['--log-level', 'loud']], 2, '--log-level must be one of'],
    ['a service without a url', () => [['--services', file('services-bad.json', '{"bank":{"uri":"x"}}')]], 2, 'bank'],
    [
      'two sources of the store',
      () => [[], { LOCKSTEP_STORE: 'memory:', LOCKSTEP_STORE_FILE: '/dev/null' }],
      2,
      'LOCKSTEP_STORE_FILE',
    ],
    ['a store that is none', () => [['--store', 'oracle://x']], 1, 'sqlite:./lockstep.db or postgres://'],
    [
      'a store in a folder that is not there',
      () => [['--store', `sqlite:${join(place.folder, 'none', 'x.db')}`]],
      1,
      'mkdir -p',
    ],
    ['a store that is a folder', () => [['--store', `sqlite:${mkdir('folder.db')}`]], 1, 'is a directory'],
    [
      'a store that is no database',
      () => [['--store', `sqlite:${file('text.db', 'hello '.repeat(500))}`]],
      1,
      'not an SQLite database',
    ],
  ]
  const mkdir = (name: string) => {
    mkdirSync(join(place.folder, name))
    return join(place.folder, name)
  }

  it.for(refusals)('refuses %s, and says how to mend it', async ([, run, code, says]) => {
    const [args, environment = {}] = run()
    const port = args.includes('--port') || 'LOCKSTEP_PORT' in environment ? [] : ['--port', '0']
    const all = ['serve', ...args, ...port]
    // A wrong setting is found before anything starts; what fails at the start needs a process of its own.
    const finished = await (code === 2 ? commandHere(all, environment) : runCommand(all, { environment }))
    expect(finished).toMatchObject({ code, stdout: '' })
    expect(finished.stderr).toContain(says)
    expect(finished.stderr).toMatch(/^lockstep: .*\[LOCKSTEP_[A-Z_]+\]\n {2}\S/)
    expect(finished.stderr).not.toMatch(/\n\s+at |canary/)
  })

  it('logs neither payload nor header nor query', async () => {
    const served = await place.serve(['--store', 'memory:', '--log-level', 'debug'])
    const headers = { 'content-type': 'application/json', authorization: 'Bearer canary-1' }
    const body = JSON.stringify({
      id: 'logged',
      pattern: 'saga',
      input: 'canary-2',
      steps: [{ name: 'a', action: `${bank.url}/never?key=canary-3` }],
    })
    await fetch(`${served.url}/v1/transactions`, { method: 'POST', headers, body })
    await fetch(`${served.url}/v1/transactions?label.secret=canary-4&colour=1`)
    await fetch(`${served.url}/v1/transactions/logged/actions`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ action: 'retry', reason: 'canary-5' }),
    })
    served.child.kill('SIGTERM')
    const { stdout, stderr } = await served.finished
    expect(stdout).toContain('an operator acted')
    for (const line of stdout.trim().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
    expect(stdout + stderr).not.toContain('canary')
  })
})
