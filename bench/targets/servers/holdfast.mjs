/**
 * Stands in for the control process: starts the built data plane with one worker, hands it a view with
 * one route and one probed endpoint, prints the data plane's pid, and then only keeps the connection.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { accessFields } from '../../../dist/config/types.js'
import { ProxyClient } from '../../../dist/balancer/index.js'
import { systemClock } from '../../../dist/kernel/system.js'

const { directory, port, originPort, feature, certificate, echoPort } = JSON.parse(process.argv[2])
const proxy = new ProxyClient({ directory, clock: systemClock, workers: 1 })
const identity = await proxy.connect()

const service = (name, path, endpointPort, more) => ({
  name,
  routes: [{ listener: 'web', path, stripPath: false }],
  algorithm: 'p2c-ewma',
  slowStartMs: 0,
  timeoutMs: 30_000,
  connectTimeoutMs: 2_000,
  retries: { attempts: 1, budget: 0.2 },
  parking: { timeoutMs: 30_000, requests: 256, bytes: 16 * 2 ** 20 },
  managed: false,
  coming: false,
  maintenance: false,
  endpoints: [{ id: `${name}-1`, host: '127.0.0.1', port: endpointPort, weight: 1, state: 'active' }],
  ...more,
})
const probe = { path: '/health', intervalMs: 2_000, timeoutMs: 1_000, fall: 3, rise: 2, statusMin: 200, statusMax: 399 }
const features = {
  retries: { attempts: 1, budget: 0.2, statuses: [502, 503, 504] },
  breaker: { errorRate: 0.5, windowMs: 10_000, minimumRequests: 20, openMs: 5_000 },
  ejection: { consecutiveErrors: 5, consecutiveFailures: 2, baseMs: 30_000, maxMs: 300_000 },
  rateLimit: { key: { by: 'client-ip' }, rate: 1_000_000_000, periodMs: 1_000, burst: 1_000_000_000 },
}
const observe = { serverTiming: 'off', access: { directory: join(directory, 'log'), sample: 1, fields: accessFields, mask: [] } }
const cache = { maxBodyBytes: 2 ** 20, graceMs: 0, obeyClients: true, heuristic: 0 }
const http2 = feature === 'http2' || feature === 'cache-http2'
const caches = feature === 'cache' || feature === 'cache-http2'
const secure = feature === 'tls' || http2
const tls = secure && {
  certificates: [{ cert: readFileSync(certificate.certFile, 'utf8'), key: readFileSync(certificate.keyFile, 'utf8'), hosts: [] }],
  minVersion: 'TLSv1.3',
  requireClientCert: false,
}

await proxy.apply({
  version: 1,
  listeners: [{ name: 'web', host: '127.0.0.1', port, ...(tls ? { tls, http2 } : {}) }],
  services: [
    service('origin', '/', originPort, { probe, ...(feature === 'features' ? features : {}), ...(caches ? { cache } : {}) }),
    ...(feature === 'websocket' ? [service('echo', '/ws', echoPort)] : []),
  ],
  ...(feature === 'features' ? { observe } : {}),
  ...(caches ? { cache: { maxBytes: 256 * 2 ** 20, workerBytes: 64 * 2 ** 20 } } : {}),
})
console.log(JSON.stringify({ pid: identity.pid }))

process.once('SIGTERM', async () => {
  await proxy.shutdown(2_000)
  process.exit()
})
