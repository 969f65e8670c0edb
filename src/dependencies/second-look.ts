/** A second look at a service, now: the balancer's own probes will know by their next turn, and somebody waits. */
import { get } from 'node:http'
import { connect } from 'node:net'

export interface Target {
  readonly host: string
  readonly port: number
  /** Asked for over plain HTTP; undefined: it is enough that it takes a connection. */
  readonly path: string | undefined
}

/** Of many endpoints these speak for all. */
const targetsMax = 4

/** One of them passes within the time. */
export async function passesNow(targets: readonly Target[], timeoutMs: number): Promise<boolean> {
  const looks = targets.slice(0, targetsMax).map((target) => (target.path === undefined ? connects(target, timeoutMs) : answers(target, timeoutMs)))
  try {
    await Promise.any(looks)
    return true
  } catch {
    // All of them failed: that is the answer.
    return false
  }
}

function connects({ host, port }: Target, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: timeoutMs })
    socket.once('connect', () => {
      resolve()
      socket.destroy()
    })
    socket.once('timeout', () => socket.destroy(new Error('no connection in time')))
    socket.once('error', reject)
  })
}

/** Any answer but 5xx: what exactly is expected is the probe's business. */
function answers({ host, port, path }: Target, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      response.resume()
      if ((response.statusCode ?? 500) < 500) resolve()
      else reject(new Error(`answered ${response.statusCode}`))
      request.destroy()
    })
    request.once('error', reject)
  })
}
