/** The cache over a Redis that is started for it, beside the bare client of the same package. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { createClient } from 'redis'
import { createCache } from '../../src/cache/index.ts'
import { ours, type Question, type Subject } from './subjects.ts'

const times = 20_000
/** On their way at the same time. */
const together = 50
const value = { id: 1, name: 'Ada', roles: ['admin', 'staff'] }

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const inTurns = (name: string, call: (i: number) => Promise<unknown>): Subject => ({
  name,
  run: async (all) => {
    for (let i = 0; i < all; i += together) await Promise.all(Array.from({ length: together }, (_, j) => call(i + j)))
  },
})

/** None where there is no redis-server. */
export async function redisQuestions(): Promise<{ readonly questions: readonly Question[]; readonly end: () => Promise<void> }> {
  const port = await freePort()
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
  const started = await Promise.race([once(server, 'spawn').then(() => true), once(server, 'error').then(() => false)])
  if (!started) {
    console.error('skipped: redis-server is not installed')
    return { questions: [], end: () => Promise.resolve() }
  }
  const url = `redis://127.0.0.1:${port}`
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()
  let isUp: (() => void) | undefined
  const up = new Promise<void>((resolve) => (isUp = resolve))
  // One value in memory, so that each of the others is asked of Redis.
  const cache = createCache({
    ttlMs: 3_600_000,
    memory: { maxEntries: 1 },
    redis: { url, prefix: 'bench:', readTimeoutMs: 2_000, writeTimeoutMs: 2_000, onChange: (state) => state && isUp?.() },
  })
  await up
  for (let i = 0; i < 1_000; i++) {
    await cache.set(`there:${i}`, value)
    await client.set(`bare:${i}`, JSON.stringify(value))
  }
  const questions: Question[] = [
    {
      what: 'Redis: get of what is not in memory',
      times,
      subjects: [
        inTurns(ours, (i) => cache.get(`there:${i % 1_000}`)),
        inTurns('redis 6.3, bare GET and JSON.parse', async (i) => JSON.parse((await client.get(`bare:${i % 1_000}`)) ?? '') as unknown),
      ],
    },
    {
      what: 'Redis: set',
      times,
      subjects: [
        inTurns(ours, (i) => cache.set(`there:${i % 1_000}`, value)),
        inTurns('redis 6.3, bare SET of JSON', (i) =>
          client.set(`bare:${i % 1_000}`, JSON.stringify(value), { expiration: { type: 'PX', value: 3_600_000 } }),
        ),
      ],
    },
    {
      what: 'Redis: getOrSet of what is nowhere',
      times: times / 4,
      subjects: [inTurns(ours, () => cache.getOrSet(`none:${missed++}`, () => value))],
    },
  ]
  const end = async (): Promise<void> => {
    await cache.close()
    client.destroy()
    server.kill('SIGKILL')
  }
  return { questions, end }
}

let missed = 0
