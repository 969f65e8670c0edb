/**
 * The control process's end of the data plane: finds the running proxy or starts one, sends it views and orders, and
 * passes on what it tells. When the connection breaks it comes back by itself: to the heir that the workers start, or
 * to a new proxy; whoever it is gets the latest view again.
 *
 *   idle ──connect──▶ connected ──lost──▶ reconnecting ──▶ connected
 *                         └──disconnect / shutdown──▶ closed
 */
import { connect } from 'node:net'
import { HoldfastError, codeOf, messageOf } from '../kernel/errors.ts'
import { machineNow } from '../kernel/system.ts'
import { after, ms, sleep, type Clock } from '../kernel/time.ts'
import { Channel } from './channel.ts'
import type { PurgeOrder } from './core/cache/purge.ts'
import type { RoutingView } from './core/routing-view.ts'
import type { RequestTrail } from './core/trail.ts'
import { Launcher } from './launch.ts'
import { protocolVersion, type BreakerAction, type ControlToPrimary, type PrimaryToControl } from './messages.ts'
import { proxyLogFile, socketPath } from './paths.ts'
import type { Proxy, ProxyIdentity, ProxySignal, ProxyTelemetry } from './port.ts'

export interface ProxyClientOptions {
  /** The data directory. */
  readonly directory: string
  readonly clock: Clock
  /** Proxy workers of a proxy that has to be started. */
  readonly workers: number
  /** Extra arguments for node, for profiling. */
  readonly nodeArguments?: readonly string[]
}

/** How long a proxy that was just started may take until its socket answers. */
const startTimeoutMs = 10_000
/** After a break, the workers' heir gets this long before a new proxy is started from here. */
const heirTimeoutMs = 2_500
const retryMs = 25
/** A view that the proxy refused after a reconnect is given again after this, then after twice as long, … */
const viewRetryMs = 1_000
const viewRetryMsMax = 30_000
/** One that does not say welcome within this is not there. */
const joinTimeoutMs = 2_000
/** An order that the proxy does not answer within this (and its own deadline) has failed. */
const orderTimeoutMs = 15_000
/** A question, that an older proxy does not know. */
const explainTimeoutMs = 3_000

interface Done {
  readonly remaining: number
  readonly entries?: number
  readonly trails?: readonly RequestTrail[]
}

interface Order {
  resolve(answer: Done): void
  reject(error: Error): void
  readonly timer: Disposable
}

export class ProxyClient implements Proxy {
  readonly #options: ProxyClientOptions
  readonly #launcher: Launcher
  readonly #orders = new Map<number, Order>()
  readonly #telemetryListeners = new Set<(telemetry: ProxyTelemetry) => void>()
  readonly #signalListeners = new Set<(signal: ProxySignal) => void>()
  #channel: Channel<PrimaryToControl, ControlToPrimary> | undefined
  #identity: ProxyIdentity | undefined
  #telemetry: ProxyTelemetry | undefined
  #view: RoutingView | undefined
  /** What the proxy on this connection has taken. */
  #taken: RoutingView | undefined
  #orderId = 0
  #closed = false

  constructor(options: ProxyClientOptions) {
    this.#options = options
    const { directory, workers, nodeArguments = [] } = options
    this.#launcher = new Launcher({ directory, workers, inherited: [], nodeArguments })
  }

  get connected(): boolean {
    return this.#channel !== undefined
  }

  async connect(): Promise<ProxyIdentity> {
    const running = await this.join()
    if (running) return running
    this.#launcher.start()
    return this.#joinWithin(startTimeoutMs)
  }

  async apply(view: RoutingView): Promise<void> {
    const before = this.#view
    this.#view = view
    try {
      await this.#give(view)
    } catch (error) {
      // The proxy stays with the old one, and so must its heir.
      if (codeOf(error) === 'listen_failed' && this.#view === view) this.#view = before
      throw error
    }
  }

  async #give(view: RoutingView): Promise<void> {
    await this.#order((id) => ({ type: 'view', id, view }), orderTimeoutMs)
    this.#taken = view
  }

  gone(endpoint: string, reason: string): void {
    this.#channel?.send({ type: 'gone', endpoint, reason, exitedAt: machineNow() })
  }

  async breaker(service: string, action: BreakerAction): Promise<void> {
    await this.#order((id) => ({ type: 'breaker', id, service, action }), orderTimeoutMs)
  }

  async drained(endpoint: string, deadlineMs: number): Promise<{ readonly remaining: number }> {
    const { remaining } = await this.#order((id) => ({ type: 'drain', id, endpoint, deadlineMs }), deadlineMs + orderTimeoutMs)
    return { remaining }
  }

  async forgetQuarantined(request: string): Promise<void> {
    await this.#order((id) => ({ type: 'forgetQuarantined', id, request }), orderTimeoutMs)
  }

  async instruct(instance: string, line: string): Promise<void> {
    await this.#order((id) => ({ type: 'instruct', id, endpoint: instance, line }), orderTimeoutMs)
  }

  async purge(order: PurgeOrder): Promise<{ readonly entries: number }> {
    const { entries = 0 } = await this.#order((id) => ({ type: 'purge', id, order }), orderTimeoutMs)
    return { entries }
  }

  async explain(request: string): Promise<readonly RequestTrail[]> {
    const { trails = [] } = await this.#order((id) => ({ type: 'explain', id, request }), explainTimeoutMs)
    return trails
  }

  telemetry(): ProxyTelemetry | undefined {
    return this.#telemetry
  }

  /** Readings with all that was counted until now; `telemetry` is up to two seconds old. Rejects with `proxy_unreachable`. */
  async read(): Promise<ProxyTelemetry> {
    await this.#order((id) => ({ type: 'read', id }), orderTimeoutMs)
    if (this.#telemetry === undefined) throw new HoldfastError('proxy_unreachable', 'asking the proxy for readings failed: it sent none')
    return this.#telemetry
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
    this.#closed = true
    // It may be on its way back: an heir that nobody stops would serve on for ever.
    if (!this.#channel && this.#identity) await this.#joinWithin(heirTimeoutMs + retryMs).catch(() => undefined)
    const channel = this.#channel
    if (!channel) return
    const ended = new Promise<void>((resolve) => {
      this.#onClosed.push(resolve)
    })
    channel.send({ type: 'shutdown', deadlineMs })
    const { clock } = this.#options
    await Promise.race([ended, sleep(clock, ms(deadlineMs + 5_000))])
    channel.close()
  }

  disconnect(): void {
    this.#closed = true
    this.#channel?.close()
  }

  #onClosed: (() => void)[] = []

  /** Joins a proxy that answers; undefined when none does. */
  join(): Promise<ProxyIdentity | undefined> {
    return new Promise((resolve, reject) => {
      const socket = connect(socketPath(this.#options.directory, 'proxy'))
      const channel: Channel<PrimaryToControl, ControlToPrimary> = new Channel<PrimaryToControl, ControlToPrimary>(
        socket,
        (message) => {
          if (message.type !== 'welcome') {
            this.#onMessage(message)
            return
          }
          if (message.protocol !== protocolVersion) {
            channel.close()
            reject(
              new HoldfastError(
                'proxy_incompatible',
                `joining the running proxy (pid ${message.pid}) failed: it speaks protocol ${message.protocol}, this is ${protocolVersion}`,
                {
                  hint: 'run "holdfast down" with the version that started it, then "holdfast up"',
                },
              ),
            )
            return
          }
          timer[Symbol.dispose]()
          this.#channel = channel
          this.#launcher.found()
          const identity = { pid: message.pid, workers: message.workers, adopted: message.viewVersion >= 0 }
          this.#identity = identity
          resolve(identity)
        },
        (reason) => {
          resolve(undefined)
          if (this.#channel === channel) this.#lost(reason)
        },
      )
      // A proxy that is stopped or hangs accepts in its backlog and never answers.
      const timer = this.#options.clock.schedule(after(this.#options.clock.now(), ms(joinTimeoutMs)), () => {
        socket.destroy()
      })
      socket.on('close', () => {
        timer[Symbol.dispose]()
      })
      socket.on('connect', () => {
        channel.send({ type: 'hello', protocol: protocolVersion, role: 'control', pid: process.pid })
      })
    })
  }

  async #joinWithin(timeoutMs: number): Promise<ProxyIdentity> {
    const { clock, directory } = this.#options
    const deadline = after(clock.now(), ms(timeoutMs))
    for (;;) {
      const identity = await this.join()
      if (identity) return identity
      const failure = this.#launcher.failure ?? (clock.now() < deadline ? undefined : `its socket did not answer within ${timeoutMs / 1_000} s`)
      if (failure !== undefined) {
        throw new HoldfastError('proxy_unreachable', `starting the proxy failed: ${failure}`, { hint: `see ${proxyLogFile(directory)}` })
      }
      await sleep(clock, ms(retryMs))
    }
  }

  #onMessage(message: Exclude<PrimaryToControl, { type: 'welcome' }>): void {
    switch (message.type) {
      case 'done':
        this.#settle(message.id)?.resolve({ remaining: message.remaining ?? 0, entries: message.entries ?? 0 })
        return
      case 'explained':
        this.#settle(message.id)?.resolve({ remaining: 0, trails: message.trails })
        return
      case 'failed':
        this.#settle(message.id)?.reject(new HoldfastError(message.code, message.message, message.hint === undefined ? {} : { hint: message.hint }))
        return
      case 'signal':
        this.#signal(message.signal)
        return
      case 'telemetry':
        this.#telemetry = message.telemetry
        for (const listener of this.#telemetryListeners) listener(message.telemetry)
        return
      case 'toOrphan':
        return
    }
  }

  #settle(id: number): Order | undefined {
    const order = this.#orders.get(id)
    this.#orders.delete(id)
    order?.timer[Symbol.dispose]()
    return order
  }

  #order(make: (id: number) => ControlToPrimary, timeoutMs: number): Promise<Done> {
    const channel = this.#channel
    if (!channel) return Promise.reject(new HoldfastError('proxy_unreachable', 'the proxy is not connected at the moment'))
    const id = ++this.#orderId
    const { clock } = this.#options
    return new Promise((resolve, reject) => {
      const timer = clock.schedule(after(clock.now(), ms(timeoutMs)), () => {
        this.#orders.delete(id)
        reject(new HoldfastError('proxy_unreachable', `the proxy did not answer an order within ${timeoutMs} ms`))
      })
      this.#orders.set(id, { resolve, reject, timer })
      channel.send(make(id))
    })
  }

  #lost(reason: string): void {
    this.#channel = undefined
    this.#taken = undefined
    for (const id of [...this.#orders.keys()])
      this.#settle(id)?.reject(new HoldfastError('proxy_unreachable', `the connection to the proxy broke: ${reason}`))
    for (const closed of this.#onClosed.splice(0)) closed()
    if (this.#closed) return
    this.#signal({ type: 'disconnected', reason })
    void this.#reconnect()
  }

  #signal(signal: ProxySignal): void {
    for (const listener of this.#signalListeners) listener(signal)
  }

  /** Looks for the heir, and after a time starts a proxy itself, again and again; what goes wrong is told once, until it is something else. */
  async #reconnect(): Promise<void> {
    const { clock, directory } = this.#options
    const before = this.#identity?.pid
    let told: string | undefined
    const failed = (reason: string): void => {
      if (reason !== told) this.#signal({ type: 'reconnectFailed', reason, hint: `see ${proxyLogFile(directory)}` })
      told = reason
    }
    let deadline = after(clock.now(), ms(heirTimeoutMs))
    while (!this.#closed) {
      const identity = await this.join().catch((error: unknown) => {
        failed(messageOf(error))
        return undefined
      })
      if (identity) {
        this.#signal({ type: 'connected', ...identity, adopted: identity.adopted && identity.pid === before })
        await this.#giveAgain()
        return
      }
      if (clock.now() >= deadline) {
        if (this.#launcher.waiting) failed(`starting the proxy failed: its socket did not answer within ${startTimeoutMs / 1_000} s`)
        this.#launcher.start()
        deadline = after(clock.now(), ms(startTimeoutMs))
      }
      // No descriptors, no memory, a full disk: orphans serve on meanwhile.
      if (this.#launcher.failure !== undefined) failed(`starting the proxy failed: ${this.#launcher.failure}`)
      await sleep(clock, ms(retryMs))
    }
  }

  #holds(channel: Channel<PrimaryToControl, ControlToPrimary> | undefined): boolean {
    return !this.#closed && this.#channel === channel
  }

  /** Gives the proxy that was found the latest view, until it has taken one. */
  async #giveAgain(): Promise<void> {
    const channel = this.#channel
    let told: string | undefined
    for (let waitMs = viewRetryMs; ; waitMs = Math.min(viewRetryMsMax, 2 * waitMs)) {
      const view = this.#view
      if (!view || this.#taken === view || !this.#holds(channel)) return
      try {
        await this.#give(view)
        return
      } catch (error) {
        // Lost once more: whoever is found next gets the view.
        if (!this.#holds(channel)) return
        const reason = messageOf(error)
        if (reason !== told) this.#signal({ type: 'viewRefused', reason, hint: error instanceof HoldfastError ? error.hint : undefined })
        told = reason
      }
      await sleep(this.#options.clock, ms(waitMs))
    }
  }
}
