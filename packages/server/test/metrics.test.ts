import { describe, expect, it } from 'vitest'
import { alertCount } from '../src/api/alert-count.ts'
import { currentText } from '../src/api/metric-text.ts'
import { serverAndBank } from './server-and-bank.ts'

const { server, saga } = await serverAndBank()

describe('/metrics', () => {
  it('shows in the text of Prometheus what this instance knows of itself, and no id', async () => {
    const { id } = saga()
    await server.begin(saga({ id, wait: 5_000 }))
    const { status, headers, text } = await server.get('/metrics')
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(?:# (?:HELP|TYPE) )?lockstep_\w+/)
    expect(text).toContain('# TYPE lockstep_alerts_total counter\n')
    expect(text).toContain('# TYPE lockstep_takeovers_total counter\nlockstep_takeovers_total 0\n')
    expect(text).toMatch(/# TYPE lockstep_active_transactions gauge\nlockstep_active_transactions \d+\n/)
    expect(text).toContain('# TYPE lockstep_held gauge\n')
    expect(text).not.toContain(id)
  })
})

describe('a counter', () => {
  it('has one line per set of labels, in order', () => {
    const count = alertCount()
    count.add(1, { kind: 'old', pattern: 'saga' })
    count.add(1, { kind: 'held', pattern: 'tcc' })
    count.add(2, { kind: 'held', pattern: 'tcc' })
    expect(count.text()).toBe(
      '# HELP lockstep_alerts_total Alerts raised by this instance, delivered or not.\n' +
        '# TYPE lockstep_alerts_total counter\n' +
        'lockstep_alerts_total{kind="held",pattern="tcc"} 3\n' +
        'lockstep_alerts_total{kind="old",pattern="saga"} 1\n',
    )
  })

  it('escapes what a label may hold', () => {
    const count = alertCount()
    count.add(1, { kind: 'a"b\\c\nd', pattern: '' })
    expect(count.text()).toContain('{kind="a\\"b\\\\c\\nd",pattern=""} 1\n')
    expect(currentText('gauge', { name: 'x', help: 'y.' }, 7)).toBe('# HELP x y.\n# TYPE x gauge\nx 7\n')
  })
})
