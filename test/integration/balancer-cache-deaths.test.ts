/**
 * Deaths among those who share a store, under load, with the history checked: an answer to a request that was sent after a change was acknowledged is never
 * older than that change, whoever answers it.
 */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { CacheView } from '../../src/balancer/core/cache-view.ts'
import {
  ask,
  eventually,
  fieldOf,
  get,
  Origin,
  pause,
  plain,
  post,
  RawClient,
  service,
  startProxy,
  type RunningProxy,
} from '../support/balancer-harness.ts'

const cache: CacheView = { maxBodyBytes: 100_000, graceMs: 0, obeyClients: true, heuristic: 0 }
const keys = 4

let proxy: RunningProxy
let origin: Origin
let versions: number[] = []

beforeEach(async () => {
  versions = Array.from({ length: keys }, () => 0)
  proxy = await startProxy(3)
  origin = await Origin.start(({ method, target, socket }) => {
    const key = Number(target.slice(1))
    if (method === 'POST') versions[key]!++
    const answer = plain(String(versions[key]), method === 'POST' ? '' : 'Cache-Control: max-age=60\r\n')
    setTimeout(() => socket.write(answer), Math.random() * 5)
  })
  await proxy.route(service([origin], { cache, retries: { attempts: 0, budget: 0.2 } }))
})

afterEach(async () => {
  await proxy.stop()
  await origin.stop()
})

interface History {
  reads: number
  hits: number
  changes: number
  failed: number
  /** Answers older than a change that was acknowledged before they were asked for. */
  wrong: string[]
  slowestMs: number
}

/** Changes and reads until it is told to stop; a connection that breaks is opened again. */
async function load(): Promise<() => Promise<History>> {
  const history: History = { reads: 0, hits: 0, changes: 0, failed: 0, wrong: [], slowestMs: 0 }
  const acknowledged = versions.map(() => 0)
  let stopped = false
  const session = async (changes: boolean): Promise<void> => {
    let client: RawClient | undefined
    for (let i = 0; !stopped; i++) {
      const key = i % keys
      const floor = acknowledged[key]!
      const began = performance.now()
      try {
        client ??= await RawClient.to(proxy.port)
        client.send(changes ? post('x', '', `/${key}`) : get(`/${key}`))
        const answer = await client.answer(changes ? 'POST' : 'GET')
        if (answer.status !== 200) throw new Error(`${answer.status}`)
        const version = Number(answer.body.toString())
        if (changes) acknowledged[key] = Math.max(acknowledged[key]!, version)
        if (version < floor) history.wrong.push(`${key}: ${version} after ${floor}`)
        history[changes ? 'changes' : 'reads']++
        if (fieldOf(answer, 'cache-status')?.includes('hit') === true) history.hits++
        if (fieldOf(answer, 'connection') === 'close') {
          client.destroy()
          client = undefined
        }
      } catch {
        history.failed++
        client?.destroy()
        client = undefined
      }
      history.slowestMs = Math.max(history.slowestMs, performance.now() - began)
      if (changes) await pause(15)
    }
    client?.destroy()
  }
  const sessions = [...Array.from({ length: 9 }, () => session(false)), session(true), session(true)]
  await pause(300)
  return async () => {
    stopped = true
    await Promise.all(sessions)
    return history
  }
}

it('never gives an older answer, whoever dies or stops', async () => {
  // A worker: its connections are lost, and nothing else.
  let stop = await load()
  const { workers } = await proxy.telemetry()
  process.kill(workers[1]!.pid, 'SIGKILL')
  await pause(600)
  const worker = await stop()
  expect(worker.wrong).toEqual([])
  expect(worker.failed).toBeLessThan(12)
  expect(worker.changes).toBeGreaterThan(20)
  expect(worker.hits).toBeGreaterThan(worker.reads / 4)

  // The store does not answer: requests go on without it.
  stop = await load()
  process.kill(proxy.pid, 'SIGSTOP')
  await pause(1_200)
  process.kill(proxy.pid, 'SIGCONT')
  await pause(300)
  const stopped = await stop()
  expect(stopped.wrong).toEqual([])
  expect(stopped.failed).toBe(0)
  expect(stopped.slowestMs).toBeLessThan(2_000)

  // The store is gone, and an heir begins with an empty one.
  stop = await load()
  process.kill(proxy.pid, 'SIGKILL')
  await eventually('there is an heir', () => proxy.signals.some(({ type }) => type === 'connected'))
  await pause(500)
  const inherited = await stop()
  expect(inherited.wrong).toEqual([])
  expect(inherited.failed).toBe(0)
  expect(inherited.slowestMs).toBeLessThan(2_000)
  const end = performance.now() + 10_000
  while (fieldOf(await ask(proxy.port, get('/0')), 'cache-status')?.includes('hit') !== true && performance.now() < end) await pause(20)
  expect((await proxy.telemetry()).cache?.entries).toBeGreaterThan(0)
})
