/**
 * Chooses servers for a program that sends the requests itself: the balancer's own picker and prober, without the traffic. The caller tells
 * what it does (`updateServerConnections`, `updateServerResponseTime`), and is told where to go (`getNextServer`).
 */
import { Endpoint } from '../balancer/core/endpoint.ts'
import { addressKey, Picker } from '../balancer/core/picker.ts'
import type { ProbeView } from '../balancer/core/routing-view.ts'
import { Prober } from '../balancer/index.ts'
import { balanceAlgorithms, type BalanceAlgorithm } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { backgroundClock, systemRandom } from '../kernel/system.ts'
import type { Clock } from '../kernel/time.ts'
import type { Random } from '../kernel/random.ts'
import { staticEndpointId } from '../registry/index.ts'
import type { HealthCheckOptions, LoadBalancerOptions } from './infrastructure-config.ts'

export interface LoadBalancerServer {
  /** `host:port`. */
  readonly id: string
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly status: 'active' | 'maintenance'
  readonly health: 'healthy' | 'unhealthy'
  /** Why it is unhealthy. */
  readonly reason: string | undefined
  /** As the caller counts them. */
  readonly connections: number
  /** Milliseconds, moving average: a peak counts at once and fades in seconds; 0 before the first. */
  readonly responseTime: number
}

export interface LoadBalancerServiceStats {
  readonly totalRequests: number
  readonly totalConnections: number
  readonly activeConnections: number
  readonly averageResponseTime: number
  /** Share of the requests that the caller reported as failed, 0 to 1. */
  readonly errorRate: number
  readonly algorithm: BalanceAlgorithm
  readonly servers: readonly LoadBalancerServer[]
}

/** Clock and chance, for tests. */
export interface LoadBalancerDeps {
  readonly clock?: Clock
  readonly random?: Random
}

const serviceName = 'library'
const noEndpoints: readonly Endpoint[] = []

export class LoadBalancerService implements AsyncDisposable {
  readonly algorithm: BalanceAlgorithm
  readonly #healthCheck: HealthCheckOptions | undefined
  readonly #clock: Clock
  readonly #picker: Picker
  readonly #prober: Prober
  #endpoints: readonly Endpoint[] = []
  readonly #reasons = new Map<string, string>()
  #probing = false
  #requests = 0
  #connections = 0
  #answers = 0
  #answerMs = 0

  /** Throws `invalid_input` for an algorithm that there is not. Nothing is probed before `start`. */
  constructor(options: LoadBalancerOptions = {}, { clock = backgroundClock, random = systemRandom }: LoadBalancerDeps = {}) {
    const { algorithm = 'round-robin', healthCheck } = options
    this.algorithm = knownAlgorithm(algorithm)
    this.#healthCheck = healthCheck
    this.#clock = clock
    this.#picker = new Picker({ algorithm: this.algorithm, random })
    this.#prober = new Prober({
      clock,
      random,
      onVerdict: (id, _service, healthy, reason) => {
        this.#judge(id, healthy, reason)
      },
    })
  }

  /** Begins to probe, when `healthCheck.enabled` is not false. Servers that are added later are probed too. */
  async start(): Promise<void> {
    this.#probing = this.#healthCheck !== undefined && this.#healthCheck.enabled !== false
    this.#probe()
  }

  async stop(): Promise<void> {
    this.#probing = false
    this.#prober.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  // --- servers --------------------------------------------------------------------------------------------------------

  /** Throws `invalid_input`, or `conflict` when it is there already. */
  addServer(host: string, port: number, weight = 1): LoadBalancerServer {
    const id = staticEndpointId(host, port)
    if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535 || !(weight > 0 && weight <= 1_000)) {
      throw new HoldfastError('invalid_input', `a server needs a host, a port from 1 to 65535 and a weight up to 1000, found ${id} with ${weight}`)
    }
    if (this.#endpoints.some((endpoint) => endpoint.id === id)) throw new HoldfastError('conflict', `the server ${id} is there already`)
    const endpoint = new Endpoint({ id, host, port, weight, state: 'active' }, serviceName)
    this.#endpoints = [...this.#endpoints, endpoint]
    this.#probe()
    return this.#describe(endpoint)
  }

  /** Returns whether it was there. */
  removeServer(id: string): boolean {
    const before = this.#endpoints.length
    this.#endpoints = this.#endpoints.filter((endpoint) => endpoint.id !== id)
    this.#reasons.delete(id)
    this.#probe()
    return this.#endpoints.length < before
  }

  getServers(): readonly LoadBalancerServer[] {
    return this.#endpoints.map((endpoint) => this.#describe(endpoint))
  }

  /** Returns whether it is there. */
  setServerMaintenance(id: string, maintenance: boolean): boolean {
    const endpoint = this.#find(id)
    if (!endpoint) return false
    endpoint.view = { ...endpoint.view, state: maintenance ? 'maintenance' : 'active' }
    this.#probe()
    return true
  }

  /** By the caller's own judgement, beside that of the probes. */
  setServerHealth(id: string, healthy: boolean, reason?: string): boolean {
    if (!this.#find(id)) return false
    this.#judge(id, healthy, reason)
    return true
  }

  // --- requests -------------------------------------------------------------------------------------------------------

  /**
   * Where the next request should go; undefined when every server is in maintenance or there is none. One that is unhealthy is named only when nothing
   * healthy is left.
   *
   * @param client - what `ip-hash` and `consistent-hash` go by: the client's address, or a key.
   */
  getNextServer(client = ''): LoadBalancerServer | undefined {
    const key = (): string => (this.algorithm === 'ip-hash' ? addressKey(client) : client)
    const endpoint = this.#picker.pick(this.#endpoints, { now: this.#clock.now(), key, tried: noEndpoints })
    if (!endpoint) return undefined
    endpoint.requests++
    this.#requests++
    return this.#describe(endpoint)
  }

  /** `change`: 1 when a request begins there, -1 when it ends. Returns whether it is there. */
  updateServerConnections(id: string, change: number): boolean {
    const endpoint = this.#find(id)
    if (!endpoint) return false
    endpoint.active = Math.max(0, endpoint.active + change)
    if (change > 0) this.#connections += change
    return true
  }

  /** An answer came after `ms`. Returns whether the server is there. */
  updateServerResponseTime(id: string, ms: number): boolean {
    const endpoint = this.#find(id)
    if (!endpoint || !(ms >= 0)) return false
    endpoint.answered(ms, this.#clock.now())
    this.#answers++
    this.#answerMs += ms
    return true
  }

  /** A request failed. One whose connection was refused leaves the server alone for a moment, longer each time. */
  reportServerError(id: string, { refused = false } = {}): boolean {
    const endpoint = this.#find(id)
    if (!endpoint) return false
    endpoint.errors++
    endpoint.failed(this.#clock.now(), refused)
    return true
  }

  getStats(): LoadBalancerServiceStats {
    const sum = (value: (endpoint: Endpoint) => number): number => this.#endpoints.reduce((total, endpoint) => total + value(endpoint), 0)
    return {
      totalRequests: this.#requests,
      totalConnections: this.#connections,
      activeConnections: sum(({ active }) => active),
      averageResponseTime: this.#answers === 0 ? 0 : this.#answerMs / this.#answers,
      errorRate: this.#requests === 0 ? 0 : Math.min(1, sum(({ errors }) => errors) / this.#requests),
      algorithm: this.algorithm,
      servers: this.getServers(),
    }
  }

  #find(id: string): Endpoint | undefined {
    return this.#endpoints.find((endpoint) => endpoint.id === id)
  }

  #describe({ id, view, healthy, active, ewmaMs }: Endpoint): LoadBalancerServer {
    const { host, port, weight, state } = view
    return {
      id,
      host,
      port,
      weight,
      status: state === 'active' ? 'active' : 'maintenance',
      health: healthy ? 'healthy' : 'unhealthy',
      reason: this.#reasons.get(id),
      connections: active,
      responseTime: ewmaMs,
    }
  }

  #judge(id: string, healthy: boolean, reason: string | undefined): void {
    const endpoint = this.#find(id)
    if (!endpoint) return
    endpoint.healthy = healthy
    if (healthy) endpoint.welcome()
    if (healthy || reason === undefined) this.#reasons.delete(id)
    else this.#reasons.set(id, reason)
  }

  #probe(): void {
    if (!this.#probing) return
    const endpoints = this.#endpoints.map(({ view }) => view)
    this.#prober.apply({ services: [{ name: serviceName, probe: probeOf(this.#healthCheck ?? {}), endpoints }] })
  }
}

function knownAlgorithm(name: string): BalanceAlgorithm {
  if (name === 'weighted') return 'weighted-round-robin'
  const known = balanceAlgorithms.find((algorithm) => algorithm === name)
  if (known) return known
  throw new HoldfastError('invalid_input', `there is no algorithm ${JSON.stringify(name)}`, { hint: `one of ${balanceAlgorithms.join(', ')}` })
}

const probeOf = ({
  path = '/health',
  interval = 10_000,
  timeout = 5_000,
  unhealthyThreshold = 3,
  healthyThreshold = 2,
}: HealthCheckOptions): ProbeView => ({
  path,
  intervalMs: interval,
  timeoutMs: timeout,
  fall: unhealthyThreshold,
  rise: healthyThreshold,
  statusMin: 200,
  statusMax: 299,
})
