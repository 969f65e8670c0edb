/**
 * One client's connection and its exchange on the workbench: the real ones, in virtual time, with sockets that record what is written to them. A
 * minute costs no time, and nothing happens but what a test makes happen.
 */
import { Duplex } from 'node:stream'
import { vi } from 'vitest'
import { Prng } from '../../kernel/random.ts'
import { listenerRoutes } from '../core/routes.ts'
import type { ServiceView } from '../core/routing-view.ts'
import type { WorkerToPrimary } from '../messages.ts'
import { Client } from '../worker/client.ts'
import type { Dispatched } from '../worker/dispatcher.ts'
import { Leases } from '../worker/leases.ts'
import { ServiceRuntime } from '../worker/service.ts'
import { EndpointPool, type Upstream, type UpstreamUser } from '../worker/upstream.ts'
import type { WorkerListener } from '../worker/connections.ts'
import { Worker } from '../worker/worker.ts'

/** How often a worker looks at its deadlines. */
const sweepMs = 100

export class RecordingSocket extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  wasReset = false
  #text = ''
  #blocked = false
  #waiting: (() => void) | undefined

  constructor() {
    super({ allowHalfOpen: true, writableHighWaterMark: 16 * 1024 })
  }

  override _read(): void {
    // Tests emit what is read.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString('latin1')
    if (this.#blocked) this.#waiting = done
    else done()
  }

  /** All that has been written since it was asked last. */
  taken(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  /** The other side does not read. */
  block(): void {
    this.#blocked = true
  }

  unblock(): void {
    this.#blocked = false
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }

  setKeepAlive(): this {
    return this
  }

  destroySoon(): void {
    this.end()
    this.destroy()
  }

  resetAndDestroy(): this {
    this.wasReset = true
    return this.destroy()
  }
}

/** A connection to an endpoint, as far as an exchange sees it. */
export class FakeUpstream {
  readonly socket = new RecordingSocket()
  readonly pool: EndpointPool
  user: UpstreamUser | undefined
  closed = false
  readonly ended = false
  readonly writeFailed = false
  used = false
  idleSince = 0
  idleMs = 60_000

  constructor(pool: EndpointPool, user: UpstreamUser) {
    this.pool = pool
    this.user = user
    this.socket.on('drain', () => this.user?.upstreamDrained(this.asUpstream))
  }

  get asUpstream(): Upstream {
    return this as unknown as Upstream
  }

  connected(): void {
    this.user?.upstreamConnected(this.asUpstream)
  }

  /** The origin sends this. */
  says(text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    this.user?.upstreamData(this.asUpstream, bytes, bytes.length)
  }

  /** The connection has ended by itself. */
  breaks(code?: string): void {
    this.closed = true
    this.user?.upstreamClosed(this.asUpstream, code)
  }

  write(bytes: Buffer): boolean {
    return this.socket.write(bytes)
  }

  wasReset(): boolean {
    return false
  }

  keepBuffer(): void {
    // What is read lies in no buffer of its own.
  }

  pinBuffer(): void {
    // The same.
  }

  returnBuffer(): void {
    // The same.
  }

  resume(): void {
    // Tests say what is read, and when.
  }

  destroy(): void {
    this.closed = true
    this.user = undefined
  }
}

export class Workbench {
  readonly worker = new Worker({ pseudonym: 'holdfast-test', tell: () => undefined })
  readonly listener: WorkerListener = { name: 'web', host: '127.0.0.1', port: 80, address: '127.0.0.1 80', routed: true, closed: false, http2: false }
  readonly socket = new RecordingSocket()
  readonly service: ServiceRuntime
  readonly client: Client
  /** In the order they were opened. */
  readonly upstreams: FakeUpstream[] = []
  readonly refused: string[] = []
  /** What the service tells the primary. */
  readonly told: WorkerToPrimary[] = []
  #queue: Dispatched[] = []
  now = 1_000_000

  constructor(view: Partial<ServiceView> = {}, endpoints = 1) {
    const { worker } = this
    worker.tick = () => {
      worker.now = this.now
    }
    worker.tick()
    worker.countRefused = (reason) => this.refused.push(reason)
    worker.dispatcher.add = (request) => this.#queue.push(request)
    const whole: ServiceView = {
      name: 'api',
      routes: [{ listener: 'web', path: '/', stripPath: false }],
      algorithm: 'round-robin',
      slowStartMs: 0,
      timeoutMs: 3_600_000,
      connectTimeoutMs: 1_000,
      retries: { attempts: 1, budget: 0.2 },
      managed: false,
      coming: false,
      maintenance: false,
      endpoints: Array.from({ length: endpoints }, (_, index) => ({
        id: `e${index}`,
        host: '127.0.0.1',
        port: 81 + index,
        weight: 1,
        state: 'active',
      })),
      ...view,
    }
    this.service = new ServiceRuntime(whole, new Prng(1), new Leases(() => undefined), (message) => this.told.push(message))
    this.service.swap(whole, this.now)
    const routes = listenerRoutes('web', [whole], () => this.service)
    worker.routesOf = () => routes
    const upstreams = this.upstreams
    vi.spyOn(EndpointPool.prototype, 'open').mockImplementation(function (this: EndpointPool, user) {
      const upstream = new FakeUpstream(this, user)
      upstreams.push(upstream)
      return upstream.asUpstream
    })
    this.client = new Client(worker, this.listener, this.socket)
  }

  get upstream(): FakeUpstream {
    return this.upstreams.at(-1)!
  }

  /** The client sends this, and what waited for the end of the turn happens. */
  send(text: string): void {
    this.socket.emit('data', Buffer.from(text, 'latin1'))
    this.settle()
  }

  settle(): void {
    while (this.#queue.length > 0) for (const request of this.#queue.splice(0)) request.dispatch(this.now)
  }

  /** The new connection stands, and the request is sent on it. */
  connect(): void {
    this.upstream.connected()
    this.settle()
  }

  /** Time passes. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.now < end) {
      this.now = Math.min(end, this.now + sweepMs)
      this.worker.tick()
      this.client.sweep(this.now)
      this.client.exchange.sweep(this.now)
      this.settle()
    }
  }

  /** Streams tell some things only in later turns: of a drained socket, of an end. */
  async turns(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    this.settle()
  }
}
