/**
 * Stands in for the control process: starts the built data plane with one worker, hands it a view with
 * one route and one probed endpoint, prints the data plane's pid, and then only keeps the connection.
 */
import { ProxyClient } from '../../../dist/balancer/index.js'
import { systemClock } from '../../../dist/kernel/system.js'

const [directory, port, originPort] = process.argv.slice(2)
const proxy = new ProxyClient({ directory, clock: systemClock, workers: 1 })
const identity = await proxy.connect()
await proxy.apply({
  version: 1,
  listeners: [{ name: 'web', host: '127.0.0.1', port: Number(port) }],
  services: [
    {
      name: 'origin',
      routes: [{ listener: 'web', path: '/', stripPath: false }],
      algorithm: 'p2c-ewma',
      slowStartMs: 0,
      timeoutMs: 30_000,
      connectTimeoutMs: 2_000,
      retries: { attempts: 1, budget: 0.2 },
      parking: { timeoutMs: 30_000, requests: 256, bytes: 16 * 2 ** 20 },
      managed: false,
      coming: false,
      maintenance: false,
      probe: { path: '/health', intervalMs: 2_000, timeoutMs: 1_000, fall: 3, rise: 2, statusMin: 200, statusMax: 399 },
      endpoints: [{ id: 'origin-1', host: '127.0.0.1', port: Number(originPort), weight: 1, state: 'active' }],
    },
  ],
})
console.log(JSON.stringify({ pid: identity.pid }))

process.once('SIGTERM', async () => {
  await proxy.shutdown(2_000)
  process.exit()
})
