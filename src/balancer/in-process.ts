/**
 * The data plane within one process: the same worker, prober and book-keeping as the proxy has, without processes of its own. For programs
 * that embed a balancer. What it gives up is what the processes give: it ends with its program, and it has one core.
 */
import { randomBytes } from 'node:crypto'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'
import { machineNow, systemClock, systemRandom } from '../kernel/system.ts'
import { after, ms } from '../kernel/time.ts'
import { quotasOf } from './core/parking-quotas.ts'
import { listenerKey, type ListenerView, type RoutingView } from './core/routing-view.ts'
import type { BreakerAction, PrimaryToWorker, WorkerToPrimary } from './messages.ts'
import type { Proxy, ProxyIdentity, ProxySignal, ProxyTelemetry } from './port.ts'
import { ConcurrencyLimits } from './primary/concurrency.ts'
import { Drains } from './primary/drains.ts'
import type { Peer } from './primary/peer.ts'
import { Prober } from './primary/prober.ts'
import { Quotas } from './primary/quotas.ts'
import { Rates } from './primary/rates.ts'
import { Standings } from './primary/standings.ts'
import { TelemetrySums } from './primary/telemetry.ts'
import { Worker } from './worker/worker.ts'

const telemetryMs = 1_000

export class InProcessProxy implements Proxy {
  readonly #startedAt = systemClock.wallTime()
  readonly #worker: Worker
  readonly #peer: Peer
  readonly #prober: Prober
  readonly #quotas = new Quotas(1)
  readonly #slots = new ConcurrencyLimits(1, () => systemClock.now())
  readonly #rates = new Rates({ workers: 1, now: () => systemClock.now() })
  readonly #drains = new Drains()
  readonly #standings = new Standings({
    now: () => systemClock.now(),
    tellAll: (message) => this.#order(message),
    circumstances: (endpoint) => ({ lagMs: 0, heapShare: 0, ...this.#prober.failing(endpoint) }),
  })
  readonly #sums = new TelemetrySums()
  readonly #open = new Map<string, ListenerView>()
  readonly #telemetryListeners = new Set<(telemetry: ProxyTelemetry) => void>()
  readonly #signalListeners = new Set<(signal: ProxySignal) => void>()
  #view: RoutingView | undefined
  #started = false
  #timer: Disposable | undefined
  #applying: Promise<unknown> = Promise.resolve()

  constructor() {
    this.#worker = new Worker({ pseudonym: `holdfast-${randomBytes(4).toString('hex')}`, tell: (message) => this.#hear(message) })
    this.#peer = {
      pid: process.pid,
      ready: true,
      own: true,
      viewVersion: -1,
      send: (message) => this.#order(message),
      giveUp: () => undefined,
      kill: () => undefined,
    }
    this.#prober = new Prober({
      clock: systemClock,
      random: systemRandom,
      onVerdict: (endpoint, service, healthy, reason) => {
        this.#worker.health(endpoint, healthy)
        if (healthy) this.#standings.revived(endpoint)
        this.#signal(
          healthy
            ? { type: 'endpointRecovered', endpoint, service }
            : { type: 'endpointUnhealthy', endpoint, service, reason: reason ?? 'probe failed' },
        )
      },
      onWavering: (endpoint) => {
        this.#standings.look(endpoint)
      },
    })
  }

  async connect(): Promise<ProxyIdentity> {
    if (!this.#started) {
      this.#started = true
      this.#worker.start()
      this.#publishLater()
    }
    return { pid: process.pid, workers: 1, adopted: false }
  }

  breaker(service: string, action: BreakerAction): Promise<void> {
    this.#worker.breakerOrder(service, action)
    return Promise.resolve()
  }

  apply(view: RoutingView): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(view))
    this.#applying = applied.catch(() => undefined)
    return applied
  }

  async #apply(view: RoutingView): Promise<void> {
    const missing = view.listeners.filter((listener) => !this.#open.has(listenerKey(listener)))
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
    this.#view = view
    this.#prober.apply(view)
    // Before the worker knows of them: whoever asks is answered.
    this.#rates.setView(view)
    this.#slots.setView(view)
    this.#worker.applyView(view, new Set(this.#prober.unhealthy))
    this.#standings.setView(view)
    this.#quotas.setLimits(quotasOf(view), [this.#peer])
    const wanted = new Set(view.listeners.map(listenerKey))
    for (const [key, listener] of this.#open) if (!wanted.has(key)) this.#close(listener)
    this.#sums.retain(
      new Set(view.services.map(({ name }) => name)),
      new Set(view.services.flatMap(({ endpoints }) => endpoints.map(({ id }) => id))),
    )
  }

  async #listen(listener: ListenerView): Promise<void> {
    const { name, host, port } = listener
    try {
      await this.#worker.listen(name, host, port)
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

  gone(endpoint: string, reason: string): void {
    this.#worker.gone(endpoint, reason, machineNow())
  }

  drained(endpoint: string, deadlineMs: number): Promise<{ readonly remaining: number }> {
    return new Promise((resolve) => {
      this.#drains.start([this.#peer], endpoint, deadlineMs, (remaining) => resolve({ remaining }))
    })
  }

  /** As of now, but for what is counted once a second. */
  telemetry(): ProxyTelemetry {
    const { services = [], version = -1 } = this.#view ?? {}
    const endpoints = services.flatMap((service) => {
      const warmth = this.#standings.warmth(service)
      return service.endpoints.map((view) => {
        const { id } = view
        const facts = {
          service: service.name,
          view,
          healthy: this.#prober.isHealthy(id),
          reason: this.#prober.reasonOf(id),
          standing: this.#standings.standingOf(id),
          warm: warmth.get(id),
        }
        return [id, facts] as const
      })
    })
    const at = systemClock.wallTime()
    return this.#sums.snapshot({ at, pid: process.pid, startedAt: this.#startedAt, viewVersion: version, endpoints: new Map(endpoints) })
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
    this.#prober.stop()
    this.#open.clear()
    if (this.#started) await this.#worker.shutdown(deadlineMs, false)
    this.disconnect()
  }

  disconnect(): void {
    this.#timer?.[Symbol.dispose]()
  }

  // --- between worker and the rest ------------------------------------------------------------------------------------

  #order(message: PrimaryToWorker): void {
    switch (message.type) {
      case 'drain':
        this.#worker.drain(message.id, message.endpoint, message.deadlineMs)
        return
      case 'lease':
        this.#worker.leased(message)
        return
      case 'recall':
        this.#worker.recalled(message.quota)
        return
      case 'slotsGiven':
        this.#worker.slotsGiven(message)
        return
      case 'rateGiven':
        this.#worker.rateGiven(message.service, message.grants)
        return
      case 'standing':
        this.#worker.setStanding(message.endpoint, message.standing)
        return
      case 'warm':
        this.#worker.warm(message.endpoint, message.windowMs, message.ageMs)
        return
      // The rest is said to the worker directly, or between processes only.
      default:
        return
    }
  }

  #hear(message: WorkerToPrimary): void {
    switch (message.type) {
      case 'drained':
        this.#drains.answered(this.#peer, message.id, message.remaining)
        return
      case 'suspect':
        this.#prober.suspect(message.endpoint)
        this.#signal({ ...message, type: 'endpointSuspect' })
        return
      case 'telemetry':
        this.#sums.add(process.pid, message.delta, true)
        this.#slots.counted(this.#peer, message.delta)
        this.#standings.counted(message.delta)
        return
      case 'ask':
      case 'giveBack':
      case 'holds':
        this.#quotas.hear(this.#peer, message)
        return
      case 'slots':
        this.#slots.hear(this.#peer, message)
        return
      case 'takeRate':
      case 'returnRate':
        this.#rates.hear(this.#peer, message)
        return
      default:
        return
    }
  }

  #signal(signal: ProxySignal): void {
    for (const listener of this.#signalListeners) listener(signal)
  }

  #publishLater(): void {
    this.#timer = systemClock.schedule(after(systemClock.now(), ms(telemetryMs)), () => {
      this.#publishLater()
      this.#standings.sweep()
      for (const listener of this.#telemetryListeners) listener(this.telemetry())
    })
  }
}
