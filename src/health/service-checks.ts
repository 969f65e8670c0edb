/** Services by the probes of their own endpoints, shown as what they are: checks. The balancer makes those probes and decides by them; nothing is asked twice. */
import type { ServiceStatus } from '../registry/types.ts'
import type { ServiceConfig } from '../config/types.ts'
import { wallTime, type WallTime } from '../kernel/time.ts'
import { Ring } from '../kernel/ring.ts'
import { outcomesKept } from './checker.ts'
import type { CheckDetail, CheckLevel, MonitorState, OutcomeRecord } from './types.ts'

interface Seen {
  state: MonitorState
  since: WallTime
  level: CheckLevel
  readonly outcomes: Ring<OutcomeRecord>
}

const states: Readonly<Record<ServiceStatus['health'], MonitorState>> = {
  healthy: 'up',
  degraded: 'up',
  unhealthy: 'down',
  starting: 'unknown',
  maintenance: 'paused',
}

export class ServiceChecks {
  readonly #seen = new Map<string, Seen>()

  /** One for each service. What changed since the last look is a new outcome. */
  look(services: readonly ServiceStatus[], configs: Readonly<Record<string, ServiceConfig>>, now: WallTime): readonly CheckDetail[] {
    const names = new Set(services.map(({ name }) => name))
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#seen.delete(name)
    return services.map((service) => detailOf(service, configs[service.name], this.#update(service, now)))
  }

  #update(service: ServiceStatus, now: WallTime): Seen {
    const state = states[service.health]
    const level: CheckLevel = service.health === 'unhealthy' ? 'critical' : service.health === 'degraded' ? 'warning' : 'ok'
    const seen = this.#seen.get(service.name) ?? { state, since: now, level, outcomes: new Ring<OutcomeRecord>(outcomesKept) }
    const isNew = !this.#seen.has(service.name)
    if (isNew || seen.state !== state || seen.level !== level) {
      if (seen.state !== state) seen.since = now
      Object.assign(seen, { state, level })
      const outcome = state === 'up' ? 'pass' : state === 'down' ? 'fail' : 'inconclusive'
      seen.outcomes.push({ at: now, outcome, latencyMs: 0, value: service.ready, level, message: messageOf(service) })
      this.#seen.set(service.name, seen)
    }
    return seen
  }
}

const messageOf = ({ health, ready, desired, reason }: ServiceStatus): string =>
  `${health}, ${ready} of ${desired} ready${reason === undefined ? '' : `: ${reason}`}`

function detailOf(service: ServiceStatus, config: ServiceConfig | undefined, { state, since, level, outcomes }: Seen): CheckDetail {
  const health = config?.health
  const last = outcomes.last()
  const intervalMs = health?.interval ?? 0
  return {
    name: service.name,
    kind: 'service',
    target: health?.path === undefined ? (health?.grpc === undefined ? 'its port' : `grpc ${health.grpc}`) : `GET ${health.path}`,
    state,
    level,
    severity: 'critical',
    since: wallTime(since),
    message: messageOf(service),
    service: service.name,
    dependsOn: service.dependsOn,
    intervalMs,
    timeoutMs: health?.timeout ?? 0,
    alertAfter: health?.fall ?? 1,
    last,
    unit: 'count',
    warnAt: undefined,
    criticalAt: undefined,
    failures: 0,
    blips: 0,
    uptime: undefined,
    nextAt: undefined,
    cause: undefined,
    outcomes: outcomes.toArray(),
  }
}
