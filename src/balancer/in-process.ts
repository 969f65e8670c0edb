/**
 * The data plane within one process: the same worker and coordination as the proxy has, without processes of its own. For programs
 * that embed a balancer. What it gives up is what the processes give: it ends with its program, and it has one core.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'
import { machineNow, systemClock } from '../kernel/system.ts'
import { after, ms } from '../kernel/time.ts'
import { invalidationOf, type PurgeOrder } from './core/cache/purge.ts'
import { listenerKey, type ListenerView, type RoutingView } from './core/routing-view.ts'
import type { RequestTrail } from './core/trail.ts'
import { headOf, RequestSocket } from './embedded/request-socket.ts'
import type { BreakerAction, PrimaryToWorker, WorkerToPrimary } from './messages.ts'
import type { Proxy, ProxyIdentity, ProxySignal, ProxyTelemetry } from './port.ts'
import { Coordination } from './primary/coordination.ts'
import type { Peer } from './primary/peer.ts'
import { obey, type Order } from './worker/orders.ts'
import { Worker } from './worker/worker.ts'

const telemetryMs = 1_000

export class InProcessProxy implements Proxy {
  readonly #worker: Worker
  readonly #peer: Peer
  readonly #coordination: Coordination
  readonly #open = new Map<string, ListenerView>()
  readonly #telemetryListeners = new Set<(telemetry: ProxyTelemetry) => void>()
  readonly #signalListeners = new Set<(signal: ProxySignal) => void>()
  /** false: requests come by `handle` only. */
  listening = true
  #started = false
  #timer: Disposable | undefined
  #applying: Promise<unknown> = Promise.resolve()

  constructor() {
    const tell = (message: WorkerToPrimary): void => {
      this.#coordination.hear(this.#peer, message)
    }
    this.#worker = new Worker({ pseudonym: `holdfast-${randomBytes(4).toString('hex')}`, tell })
    this.#peer = {
      pid: process.pid,
      ready: true,
      own: true,
      viewVersion: -1,
      send: (message) => {
        if (isOrder(message)) obey(this.#worker, message, tell)
      },
      giveUp: () => undefined,
      kill: () => undefined,
    }
    this.#coordination = new Coordination({
      company: { everyone: [this.#peer], has: () => true },
      workers: 1,
      signal: (signal) => {
        for (const listener of this.#signalListeners) listener(signal)
      },
      // It ends with this process: there is nobody to keep it for.
      onStateChange: () => undefined,
    })
  }

  async connect(): Promise<ProxyIdentity> {
    if (!this.#started) {
      this.#started = true
      this.#worker.start()
      this.#worker.connections.setTicketKeys(randomBytes(48))
      this.#worker.fleet.setSessionKeys(randomBytes(32))
      this.#coordination.welcome(this.#peer)
      this.#publishLater()
    }
    return { pid: process.pid, workers: 1, adopted: false }
  }

  breaker(service: string, action: BreakerAction): Promise<void> {
    this.#coordination.breaker(service, action)
    return Promise.resolve()
  }

  async forgetQuarantined(request: string): Promise<void> {
    if (!this.#coordination.forgetQuarantined(request))
      throw new HoldfastError('unknown_id', `tried to forget ${request}: no request of this id is quarantined`)
  }

  purge(order: PurgeOrder): Promise<{ readonly entries: number }> {
    return Promise.resolve({ entries: this.#worker.responses.purge(invalidationOf(order)) })
  }

  explain(request: string): Promise<readonly RequestTrail[]> {
    return new Promise((resolve) => {
      this.#coordination.explain(request, resolve)
    })
  }

  apply(view: RoutingView): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(view))
    this.#applying = applied.catch(() => undefined)
    return applied
  }

  async #apply(view: RoutingView): Promise<void> {
    const missing = this.listening ? view.listeners.filter((listener) => !this.#open.has(listenerKey(listener))) : []
    const opened: ListenerView[] = []
    try {
      for (const listener of missing) {
        await this.#listen(listener)
        opened.push(listener)
      }
    } catch (error) {
      for (const listener of opened) this.#close(listener)
      throw error
    }
    this.#coordination.prepare(view)
    this.#worker.applyView(view, new Set(this.#coordination.unhealthy))
    this.#coordination.routed(view, [this.#peer])
    const wanted = new Set(view.listeners.map(listenerKey))
    for (const [key, listener] of this.#open) if (!wanted.has(key)) this.#close(listener)
  }

  async #listen(listener: ListenerView): Promise<void> {
    const { name, host, port } = listener
    try {
      await this.#worker.connections.listen(name, host, port)
      this.#open.set(listenerKey(listener), listener)
    } catch (cause) {
      throw new HoldfastError('listen_failed', `could not listen on ${host}:${port} for ${name}: ${codeOf(cause) ?? messageOf(cause)}`, {
        cause,
        hint: 'give the listener another port, or stop the program that holds this one',
        details: { host, port },
      })
    }
  }

  #close(listener: ListenerView): void {
    this.#open.delete(listenerKey(listener))
    this.#worker.closeListener(listener)
  }

  /** Serves a request that a server of the program has read, as if it had come by the listener of this name. */
  handle(listener: string, request: IncomingMessage, response: ServerResponse): void {
    const socket = new RequestSocket(request, response)
    const tls = request.socket instanceof TLSSocket ? request.socket : undefined
    this.#worker.connections.attach(listener, socket, {
      tls,
      version: request.httpVersion,
      longLived: false,
      ownAnswer: () => undefined,
      cutShort: () => false,
    })
    socket.begin()
  }

  /** The same for a connection that asks for another protocol. `rest`: what has come behind the head. */
  handleUpgrade(listener: string, request: IncomingMessage, socket: Socket, rest: Buffer): void {
    this.#worker.connections.attach(listener, socket)
    socket.unshift(Buffer.concat([headOf(request), rest]))
  }

  gone(endpoint: string, reason: string): void {
    this.#coordination.gone(endpoint, reason, machineNow())
  }

  drained(endpoint: string, deadlineMs: number): Promise<{ readonly remaining: number }> {
    return new Promise((resolve) => {
      this.#coordination.drain(endpoint, deadlineMs, (remaining) => {
        resolve({ remaining })
      })
    })
  }

  /** As of now, but for what is counted once a second. */
  telemetry(): ProxyTelemetry {
    return this.#coordination.snapshot()
  }

  onTelemetry(listener: (telemetry: ProxyTelemetry) => void): Disposable {
    this.#telemetryListeners.add(listener)
    return { [Symbol.dispose]: () => this.#telemetryListeners.delete(listener) }
  }

  onSignal(listener: (signal: ProxySignal) => void): Disposable {
    this.#signalListeners.add(listener)
    return { [Symbol.dispose]: () => this.#signalListeners.delete(listener) }
  }

  async shutdown(deadlineMs: number): Promise<void> {
    this.#coordination.stop()
    this.#open.clear()
    if (this.#started) await this.#worker.shutdown(deadlineMs, false)
    this.disconnect()
  }

  disconnect(): void {
    this.#timer?.[Symbol.dispose]()
  }

  #publishLater(): void {
    this.#timer = systemClock.schedule(after(systemClock.now(), ms(telemetryMs)), () => {
      this.#publishLater()
      this.#coordination.sweep()
      for (const listener of this.#telemetryListeners) listener(this.telemetry())
    })
  }
}

/** What is said between processes only is not. */
const isOrder = (message: PrimaryToWorker): message is Order => !['start', 'open', 'listener', 'shutdown'].includes(message.type)
