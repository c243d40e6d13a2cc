import { httpTransport } from '../src/transports/index.ts'
import { nodeEnvironment } from '../src/environment/node.ts'
const port = process.argv[2]
const secret = process.env.SECRET
const t = httpTransport({ environment: nodeEnvironment, services: new Map([['b', { url: `http://127.0.0.1:${port}`, ...(secret ? { secret } : {}) }]]) })
let n = 0
async function round(name: string, total: number) {
  const cpu = process.cpuUsage(), t0 = performance.now(); let left = total, bad = 0
  await Promise.all(Array.from({ length: 64 }, async () => { while (left-- > 0) { const o = await t.call({ target: name, operation: 'action', store: '1f2e3d4c', transaction: `o-${process.pid}-${n++}`, branch: 'debit', attempt: 1, begunAt: Date.now(), timeoutMs: 10_000, input: { amount: 5 }, traceparent: null }); if (o.kind !== 'done') { bad++; if (bad === 1) console.log(o) } } }))
  const ms = performance.now() - t0, c = process.cpuUsage(cpu)
  console.log(name, (total / ms * 1000).toFixed(0), 'calls/s', ((c.user + c.system) / total).toFixed(1), 'us client cpu', bad, 'bad')
}
for (const name of (process.argv[3] ?? 'b.free,b.sqlite,b.memory').split(',')) { await round(name, 5000); await round(name, 30000) }
await t.close()
