/**
 * GETs and, every fifth, a POST at a constant rate, each timed from the moment it was due: a generator that waits for answers before it asks again would
 * leave out just the requests that a stalled proxy makes wait (coordinated omission).
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantileOf } from '../lib/statistics.ts'

export interface Outcome {
  readonly requests: number
  readonly errors: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
}

/** One in so many is a POST, which no proxy may send again once an origin may have seen it. */
export const postEvery = 5
/** A client that has waited this long has left: an error. */
const clientPatienceMs = 5_000

/** `during`: called once a millisecond with the time since the beginning. */
export async function constantRate(port: number, perSecond: number, seconds: number, during: (ms: number) => void): Promise<Outcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000 })
  const latencies: number[] = []
  const total = perSecond * seconds
  let sent = 0
  let errors = 0
  const begin = performance.now()
  const ask = async (due: number, method: 'GET' | 'POST'): Promise<void> => {
    const fine = await succeeds(port, agent, method)
    if (!fine) errors++
    latencies.push(performance.now() - due)
  }
  const asked: Promise<void>[] = []
  while (sent < total) {
    const now = performance.now() - begin
    during(now)
    for (; sent < total && (sent * 1_000) / perSecond <= now; sent++) {
      asked.push(ask(begin + (sent * 1_000) / perSecond, sent % postEvery === 0 ? 'POST' : 'GET'))
    }
    await sleep(1)
  }
  await Promise.all(asked)
  agent.destroy()
  return { requests: total, errors, p50Ms: quantileOf(latencies, 0.5), p99Ms: quantileOf(latencies, 0.99), p999Ms: quantileOf(latencies, 0.999) }
}

function succeeds(port: number, agent: Agent, method: 'GET' | 'POST'): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, method, path: '/', agent, timeout: clientPatienceMs }, (response) => {
      response.on('error', () => resolve(false))
      response.on('end', () => resolve(response.statusCode === 200 && response.complete))
      response.resume()
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(false))
    asked.end(method === 'POST' ? 'order' : undefined)
  })
}
