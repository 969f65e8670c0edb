/**
 * The load of a chaos run: 200 keep-alive connections, each with its own pace, 70 % GET and 30 % POST, every
 * POST with an id of its own. It never retries, so that what the system loses is seen. Each connection
 * sends on a fixed beat (not back to back), so a stall shows as latency and not as a queue of our making.
 */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { between, chance, Prng } from '../../src/kernel/random.ts'

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  /** All connections together. */
  readonly requestsPerSecond: number
  readonly seed: number
}

export type Method = 'GET' | 'POST'

export type Outcome =
  | { readonly type: 'ok' }
  | { readonly type: 'status'; readonly status: number; /** The Proxy-Status field (RFC 9209): why. */ readonly reason: string | undefined }
  | { readonly type: 'connection'; readonly code: string }

export interface Exchange {
  readonly method: Method
  readonly id: string
  /** Milliseconds on the monotonic clock. */
  readonly startedAt: number
  readonly endedAt: number
  readonly outcome: Outcome
}

const postShare = 0.3
const postBodyBytes = 512
/** Longer than any promise: what takes longer is lost. */
const timeoutMs = 15_000

export class Load {
  readonly #options: LoadOptions
  readonly #random: Prng
  readonly #exchanges: Exchange[] = []
  #sequence = 0
  #stopping = false
  #lanes: Promise<void>[] = []

  constructor(options: LoadOptions) {
    this.#options = options
    this.#random = new Prng(options.seed)
  }

  start(): void {
    const { connections, requestsPerSecond } = this.#options
    const beatMs = (connections / requestsPerSecond) * 1000
    this.#lanes = Array.from({ length: connections }, (_, lane) => this.#run((lane / connections) * beatMs, beatMs))
  }

  /** Lets every connection finish its request; resolves with all that happened. */
  async stop(): Promise<readonly Exchange[]> {
    this.#stopping = true
    await Promise.all(this.#lanes)
    return this.#exchanges
  }

  async #run(offsetMs: number, beatMs: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let nextAt = performance.now() + offsetMs
    while (!this.#stopping) {
      await sleep(Math.max(0, nextAt - performance.now()))
      await this.#exchange(agent, chance(this.#random, postShare) ? 'POST' : 'GET')
      // After a stall the beats that were missed are not made up for.
      nextAt = Math.max(nextAt + beatMs, performance.now())
    }
    agent.destroy()
  }

  async #exchange(agent: Agent, method: Method): Promise<void> {
    const id = `${this.#options.seed}-${++this.#sequence}`
    const startedAt = performance.now()
    const outcome = await this.#send(agent, method, id)
    this.#exchanges.push({ method, id, startedAt, endedAt: performance.now(), outcome })
  }

  #send(agent: Agent, method: Method, id: string): Promise<Outcome> {
    const body = method === 'POST' ? 'x'.repeat(postBodyBytes) : ''
    const path = method === 'POST' ? '/orders' : `/items/${between(this.#random, 1, 1000)}`
    const headers = { 'X-Order': id, ...(method === 'POST' ? { 'Content-Length': body.length } : {}) }
    return new Promise((resolve) => {
      const fail = (error: NodeJS.ErrnoException): void => {
        resolve({ type: 'connection', code: error.code ?? error.message })
      }
      const request = httpRequest({ host: '127.0.0.1', port: this.#options.port, agent, method, path, headers }, (response) => {
        readOutcome(response, resolve)
      })
      request.setTimeout(timeoutMs, () => request.destroy(Object.assign(new Error('timed out'), { code: 'TIMEOUT' })))
      request.on('error', fail)
      request.end(body)
    })
  }
}

/** An answer counts when its last byte has come. */
function readOutcome(response: IncomingMessage, done: (outcome: Outcome) => void): void {
  response.resume()
  response.on('error', (error: NodeJS.ErrnoException) => {
    done({ type: 'connection', code: error.code ?? error.message })
  })
  response.on('end', () => {
    const status = response.statusCode ?? 0
    const reason = response.headers['proxy-status']
    done(status >= 200 && status < 300 ? { type: 'ok' } : { type: 'status', status, reason: Array.isArray(reason) ? reason.join(', ') : reason })
  })
}
