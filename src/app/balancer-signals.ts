/** What the balancer tells of itself and of endpoints: to the supervisor if it is about an instance, and to whoever reads events. */
import type { Flow } from '../balancer/core/flow.ts'
import type { ProxySignal, QuarantinedRequest } from '../balancer/index.ts'
import type { EventSink } from '../kernel/events.ts'
import { publicEndpointId } from '../registry/index.ts'
import type { Supervisor } from '../supervisor/index.ts'
import { after, minutes, type Clock, type Instant } from '../kernel/time.ts'
import { tellRole } from './role-events.ts'
import type { Routing } from './routing.ts'

/** The same failure of the same endpoint is told once in this time. */
const handshakeNewsEvery = minutes(1)
/** Failures that are remembered for that; older ones are forgotten first. */
const handshakeNewsMax = 1_000

export interface BalancerSignalsDeps {
  readonly clock: Clock
  readonly events: EventSink
  readonly routing: Routing
  readonly supervisor: Supervisor
  /** The last lines of what an instance that has ended wrote to stderr. */
  readonly lastWords: (instance: string) => readonly string[]
  /** The connection to the balancer is being closed by ourselves. */
  readonly isStopping: () => boolean
  readonly onFlows: (flows: readonly Flow[]) => void
}

export class BalancerSignals {
  readonly #deps: BalancerSignalsDeps
  /** When each failed handshake may be told again. */
  readonly #handshakes = new Map<string, Instant>()

  constructor(deps: BalancerSignalsDeps) {
    this.#deps = deps
  }

  onSignal(signal: ProxySignal): void {
    switch (signal.type) {
      case 'endpointSuspect':
        this.#deps.supervisor.check(signal.endpoint)
        if (signal.handshake !== undefined) this.#onHandshake(signal.service, signal.endpoint, signal.handshake)
        return
      case 'endpointUnhealthy':
      case 'endpointRecovered':
        this.#onVerdict(signal)
        return
      case 'endpointEjected':
      case 'endpointReinstated':
        this.#onEjection(signal)
        return
      case 'requestQuarantined':
        this.#onQuarantined(signal.request)
        return
      case 'roleChanged':
      case 'roleRefused':
      case 'primaryContested':
        tellRole(this.#deps.events, signal)
        return
      case 'breakerChanged':
        this.#onBreaker(signal)
        return
      case 'flows':
        this.#deps.onFlows(signal.flows)
        return
      case 'limitsStoreChanged':
        this.#onLimitsStore(signal)
        return
      case 'workerExited':
        this.#deps.events.emit('proxy.workerExited', {
          message: `a proxy worker (pid ${signal.pid}) ended ${signal.signal === undefined ? `with code ${signal.code ?? '?'}` : `by ${signal.signal}`}; another takes its place`,
          level: 'error',
          data: {
            pid: signal.pid,
            ...(signal.code !== undefined && { code: signal.code }),
            ...(signal.signal !== undefined && { signal: signal.signal }),
          },
        })
        return
      case 'disconnected':
        if (this.#deps.isStopping()) return
        this.#deps.events.emit('proxy.disconnected', {
          message: `the connection to the balancer broke: ${signal.reason}`,
          level: 'error',
          data: { reason: signal.reason },
        })
        return
      case 'connected':
        this.#deps.events.emit(signal.adopted ? 'proxy.adopted' : 'proxy.started', {
          message: `the balancer is back (pid ${signal.pid})`,
          data: { pid: signal.pid, workers: signal.workers },
        })
        return
      case 'reconnectFailed':
        this.#deps.events.emit('proxy.reconnectFailed', {
          message: `${signal.reason}; it is tried again`,
          level: 'error',
          data: { reason: signal.reason, hint: signal.hint },
        })
        return
      case 'viewRefused':
        this.#deps.events.emit('proxy.viewRefused', {
          message: `the balancer is back and does not take the routes: ${signal.reason}; it is tried again`,
          level: 'error',
          data: { reason: signal.reason, ...(signal.hint !== undefined && { hint: signal.hint }) },
        })
        return
    }
  }

  #onHandshake(service: string, endpoint: string, reason: string): void {
    const address = publicEndpointId(service, endpoint)
    const what = `${endpoint} ${reason}`
    const now = this.#deps.clock.now()
    if (now < (this.#handshakes.get(what) ?? -Infinity)) return
    this.#handshakes.delete(what)
    const [oldest] = this.#handshakes.keys()
    if (oldest !== undefined && this.#handshakes.size >= handshakeNewsMax) this.#handshakes.delete(oldest)
    this.#handshakes.set(what, after(now, handshakeNewsEvery))
    this.#deps.events.emit('endpoint.handshakeFailed', {
      message: `no secure connection to ${address} of ${service}: it ${reason}`,
      level: 'error',
      service,
      data: { address, reason },
    })
  }

  #onEjection(signal: Extract<ProxySignal, { type: 'endpointEjected' | 'endpointReinstated' }>): void {
    const { service } = signal
    const address = publicEndpointId(service, signal.endpoint)
    if (signal.type === 'endpointReinstated') {
      this.#deps.events.emit('endpoint.reinstated', {
        message: `${address} of ${service} takes requests again, on probation`,
        service,
        data: { address },
      })
      return
    }
    const { reason, forMs } = signal
    this.#deps.events.emit('endpoint.ejected', {
      message: `${address} of ${service} is taken out for ${(forMs / 1_000).toFixed(1)} s: ${reason}`,
      level: 'warning',
      service,
      data: { address, reason, forMs },
    })
  }

  #onQuarantined({ id, service, label, crashes }: QuarantinedRequest): void {
    const instances = crashes.map(({ instance }) => instance)
    this.#deps.supervisor.pardon(instances)
    this.#deps.events.emit('request.quarantined', {
      message: `${instances.join(' and ')} of ${service} crashed with the request ${label}: it is answered 500 and sent to no instance (holdfast quarantine)`,
      level: 'error',
      service,
      data: {
        id,
        request: label,
        requestIds: crashes.map(({ request }) => request),
        instances,
        reasons: crashes.map(({ reason }) => reason),
        stderrTails: instances.map((instance) => this.#deps.lastWords(instance)),
      },
    })
  }

  #onLimitsStore({ up, reason = 'unknown' }: Extract<ProxySignal, { type: 'limitsStoreChanged' }>): void {
    if (up) this.#deps.events.emit('limits.storeBack', { message: 'the Redis of limits.redis answers again: limits are shared', data: {} })
    else {
      this.#deps.events.emit('limits.storeLost', {
        message: `the Redis of limits.redis does not answer: ${reason}; each machine goes by its part of the limits`,
        level: 'error',
        data: { reason },
      })
    }
  }

  #onBreaker({ endpoint, service, from, to, reason, calls, failed, slow }: Extract<ProxySignal, { type: 'breakerChanged' }>): void {
    const address = publicEndpointId(service, endpoint)
    this.#deps.events.emit('breaker.changed', {
      message: `the breaker of ${address} of ${service} went from ${from} to ${to}: ${reason}${to === 'open' ? `, ${failed} of ${calls} requests failed` : ''}`,
      level: to === 'open' || to === 'forcedOpen' ? 'warning' : 'info',
      service,
      data: { address, from, to, reason, calls, failed, slow },
    })
  }

  #onVerdict(signal: Extract<ProxySignal, { type: 'endpointUnhealthy' | 'endpointRecovered' }>): void {
    const { endpoint, service } = signal
    if (this.#deps.routing.isAdmitted(endpoint)) {
      if (signal.type === 'endpointUnhealthy') this.#deps.supervisor.reportHealth(endpoint, 'unhealthy', signal.reason)
      else this.#deps.supervisor.reportHealth(endpoint, 'healthy')
      return
    }
    const address = publicEndpointId(service, endpoint)
    if (signal.type === 'endpointUnhealthy') {
      this.#deps.events.emit('endpoint.unhealthy', {
        message: `${address} of ${service} is unhealthy: ${signal.reason}`,
        level: 'warning',
        service,
        data: { address, reason: signal.reason },
      })
    } else this.#deps.events.emit('endpoint.recovered', { message: `${address} of ${service} is healthy again`, service, data: { address } })
  }
}
