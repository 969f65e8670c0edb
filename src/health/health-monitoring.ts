/**
 * `getHealthMonitoringSystem()`: checks of a program's own, with alerts in three levels that escalate, a dashboard with trends, answers to failures, and what needs what.
 * A face over the engine that the product runs, with nothing of its own but who is told.
 */
import { EventEmitter } from 'node:events'
import { DependencyGraph } from '../dependencies/core/graph.ts'
import { impactOf, type Impact } from '../dependencies/core/impact.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import { backgroundClock } from '../kernel/system.ts'
import { after, ms, sleep, type Clock } from '../kernel/time.ts'
import { mayRun, remembered } from './core/policy.ts'
import { customDefinition, type CustomCheck } from './custom.ts'
import { embedChecks, tell, type Embedded } from './embedded.ts'
import type { CheckDetail, CheckSeverity, CheckStatus, OutcomeRecord } from './types.ts'

export interface HealthCheckConfig extends CustomCheck {
  /** The alert becomes graver when it goes on. Default: an `emergency` after 5 minutes. */
  readonly escalation?: readonly { readonly after: number; readonly level: CheckSeverity }[] | undefined
  /** Called when it is down, once for each fall. */
  readonly response?: {
    readonly run: (alert: HealthAlert) => unknown
    /** Milliseconds after a run in which it is not called again. Default 60,000. */
    readonly cooldown?: number
    /** At most so many calls an hour. Default 3. */
    readonly limit?: number
  }
}

export interface HealthAlert {
  readonly check: string
  readonly level: CheckSeverity
  readonly status: 'firing' | 'resolved'
  readonly message: string
  readonly since: Date
  /** What it goes back to, when that is down, too: then nobody is told of this one. */
  readonly causedBy: string | undefined
}

export interface HealthDashboard {
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly timestamp: Date
  readonly checks: readonly (CheckStatus & { readonly trend: HealthTrend })[]
  /** Graver first. */
  readonly alerts: readonly HealthAlert[]
}

/** Over the runs that are remembered, the last 60. */
export interface HealthTrend {
  readonly outcomes: readonly OutcomeRecord[]
  /** Share of the runs that passed; undefined: none was made. */
  readonly passed: number | undefined
  readonly meanLatencyMs: number | undefined
}

export interface HealthMonitoringEvents {
  healthChange: [change: { readonly check: string; readonly from: string; readonly to: string; readonly message: string }]
  /** Firing, graver than before, or resolved. */
  alert: [alert: HealthAlert]
  /** What a response threw. */
  responseError: [failure: { readonly check: string; readonly error: unknown }]
}

const grave: readonly CheckSeverity[] = ['warning', 'critical', 'emergency']
const usualEscalation = [{ after: 300_000, level: 'emergency' }] as const
const hourMs = 3_600_000
const checksMax = 10_000

interface Entry {
  readonly config: HealthCheckConfig
  readonly registered: Disposable
  alert: HealthAlert | undefined
  timers: Disposable[]
  runs: readonly number[]
}

export class HealthMonitoringSystem extends EventEmitter<HealthMonitoringEvents> {
  readonly #entries = new Map<string, Entry>()
  readonly #clock: Clock
  #embedded: Embedded | undefined

  /** `clock`: for tests. Use `getHealthMonitoringSystem()`. */
  constructor(clock: Clock = backgroundClock) {
    super()
    this.#clock = clock
  }

  /**
   * It is made at once, and then again and again until it is removed. Its timers keep no program alive. Rejects with `conflict` when the name is taken, with
   * `invalid_input` for times that are none.
   */
  async registerHealthCheck(name: string, config: HealthCheckConfig): Promise<void> {
    validate(name, config)
    if (this.#entries.size >= checksMax)
      throw new HoldfastError('conflict', `tried to register the health check ${name}: there are ${checksMax} already`)
    const first = this.#embedded === undefined
    const { checks } = (this.#embedded ??= embedChecks((type, check, data) => {
      this.#heard(type, check, data)
    }, this.#clock))
    if (first) await checks.start()
    const registered = checks.register(customDefinition(name, config, (forMs) => sleep(this.#clock, ms(forMs))))
    this.#entries.set(name, { config, registered, alert: undefined, timers: [], runs: [] })
    void checks.run(name)
  }

  /** Whether there was one. */
  removeHealthCheck(name: string): boolean {
    const entry = this.#entries.get(name)
    if (!entry) return false
    this.#entries.delete(name)
    for (const timer of entry.timers) timer[Symbol.dispose]()
    entry.registered[Symbol.dispose]()
    return true
  }

  /** Makes it now. Rejects with `unknown_check`. */
  async runHealthCheck(name: string): Promise<CheckDetail> {
    return this.#engine(name).run(name)
  }

  /** Throws `unknown_check`. */
  getHealthStatus(name: string): CheckDetail {
    return this.#engine(name).get(name)
  }

  getTrend(name: string): HealthTrend {
    return trendOf(this.getHealthStatus(name))
  }

  getHealthDashboard(): HealthDashboard {
    const details = [...this.#entries.keys()].map((name) => this.getHealthStatus(name))
    const down = details.filter(({ state }) => state === 'down' || state === 'recovering').length
    const shaky = details.some(({ state, level }) => state === 'suspect' || level === 'warning')
    return {
      status: down > 0 && down === details.length ? 'unhealthy' : down > 0 || shaky ? 'degraded' : 'healthy',
      timestamp: new Date(this.#clock.wallTime()),
      checks: details.map(({ outcomes, ...status }) => ({ ...status, trend: trendOf({ ...status, outcomes }) })),
      alerts: this.getActiveAlerts(),
    }
  }

  getActiveAlerts(): readonly HealthAlert[] {
    const active = [...this.#entries.values()].flatMap(({ alert }) => alert ?? [])
    return active.toSorted((a, b) => grave.indexOf(b.level) - grave.indexOf(a.level))
  }

  /** What goes down with it: `database down: affects api, shop; 3 of 5 services`. Throws `unknown_check`. */
  getImpact(name: string): Impact {
    const names = new Set([...this.#entries].flatMap(([own, { config }]) => [own, ...(config.dependencies ?? [])]))
    const needs = [...this.#entries].flatMap(([of, { config }]) =>
      (config.dependencies ?? []).map((on) => ({ of, anyOf: [on], hard: true, evidence: [{ kind: 'configured' as const }] })),
    )
    const impact = impactOf(
      new DependencyGraph(
        [...names].map((one) => ({ name: one, kind: 'service' as const })),
        needs,
      ),
      name,
    )
    if (impact) return impact
    throw new HoldfastError('unknown_check', `asked what needs ${name}, found no such check`)
  }

  /** Ends all checks. Safe to call twice; registering begins anew. */
  stop(): void {
    for (const name of [...this.#entries.keys()]) this.removeHealthCheck(name)
    this.#embedded?.checks.stop()
    this.#embedded = undefined
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  #engine(name: string): Embedded['checks'] {
    if (this.#embedded && this.#entries.has(name)) return this.#embedded.checks
    throw new HoldfastError('unknown_check', `looked for the health check ${name}, found no such check`, { hint: 'registerHealthCheck() first' })
  }

  #heard(type: string, check: string, data: Readonly<Record<string, unknown>>): void {
    const entry = this.#entries.get(check)
    if (type !== 'check.changed' || !entry) return
    const { from, to, reason } = data as { readonly from: string; readonly to: string; readonly reason: string }
    tell(() => this.emit('healthChange', { check, from, to, message: reason }))
    if (to === 'down') this.#fire(check, entry, reason)
    else this.#resolve(entry, reason)
  }

  #fire(check: string, entry: Entry, message: string): void {
    const { level = 'critical', escalation = usualEscalation } = entry.config
    const causedBy = this.#causeOf(entry, new Set([check]))
    const alert: HealthAlert = { check, level, status: 'firing', message, since: new Date(this.#clock.wallTime()), causedBy }
    entry.alert = alert
    if (causedBy !== undefined) return
    tell(() => this.emit('alert', alert))
    for (const step of escalation) this.#escalateLater(entry, step.after, step.level)
    this.#respond(entry, alert)
  }

  /** What it needs, directly or through others, and is down. */
  #causeOf({ config: { dependencies = [] } }: Entry, seen: Set<string>): string | undefined {
    for (const name of dependencies) {
      const needed = this.#entries.get(name)
      if (!needed || seen.has(name)) continue
      const cause = needed.alert ? (needed.alert.causedBy ?? name) : this.#causeOf(needed, seen.add(name))
      if (cause !== undefined) return cause
    }
    return undefined
  }

  #escalateLater(entry: Entry, afterMs: number, level: CheckSeverity): void {
    const timer = this.#clock.schedule(after(this.#clock.now(), ms(afterMs)), () => {
      if (!entry.alert || grave.indexOf(level) <= grave.indexOf(entry.alert.level)) return
      const graver = { ...entry.alert, level }
      entry.alert = graver
      tell(() => this.emit('alert', graver))
    })
    entry.timers.push(timer)
  }

  #resolve(entry: Entry, message: string): void {
    for (const timer of entry.timers.splice(0)) timer[Symbol.dispose]()
    const { alert } = entry
    entry.alert = undefined
    if (alert && alert.causedBy === undefined) tell(() => this.emit('alert', { ...alert, status: 'resolved', message }))
  }

  #respond(entry: Entry, alert: HealthAlert): void {
    const { response } = entry.config
    if (!response) return
    const rules = { cooldownMs: response.cooldown ?? 60_000, limit: { count: response.limit ?? 3, per: hourMs } }
    const now = this.#clock.now()
    entry.runs = remembered(entry.runs, now, rules)
    if (!mayRun(entry.runs, now, rules).go) return
    entry.runs = [...entry.runs, now]
    Promise.resolve()
      .then(() => response.run(alert))
      .catch((error: unknown) => {
        tell(() => {
          if (this.emit('responseError', { check: alert.check, error })) return
          // Nobody listens, and somebody has to know.
          process.emitWarning(`the response to the health check ${alert.check} failed: ${messageOf(error)}`)
        })
      })
  }
}

function trendOf({ outcomes }: CheckDetail): HealthTrend {
  const counted = outcomes.filter(({ outcome }) => outcome !== 'inconclusive')
  if (counted.length === 0) return { outcomes, passed: undefined, meanLatencyMs: undefined }
  return {
    outcomes,
    passed: counted.filter(({ outcome }) => outcome === 'pass').length / counted.length,
    meanLatencyMs: counted.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / counted.length,
  }
}

function validate(name: string, { checkFunction, interval = 1, timeout = 1, retries = 0, alertThreshold = 1 }: HealthCheckConfig): void {
  const wrong = (what: string): HoldfastError =>
    new HoldfastError('invalid_input', `tried to register the health check ${JSON.stringify(name)}: ${what}`)
  if (name === '') throw wrong('it needs a name')
  // Programs in JavaScript have no types to tell them.
  if (typeof (checkFunction as unknown) !== 'function') throw wrong('checkFunction is to be a function')
  if (!(interval > 0) || !(timeout > 0)) throw wrong('interval and timeout are milliseconds above 0')
  if (!Number.isInteger(retries) || retries < 0 || retries > 10) throw wrong('retries is a whole number from 0 to 10')
  if (!Number.isInteger(alertThreshold) || alertThreshold < 1 || alertThreshold > 100) throw wrong('alertThreshold is a whole number from 1 to 100')
}

let shared: HealthMonitoringSystem | undefined

/** That of this process. Nothing runs until a check is registered. */
export function getHealthMonitoringSystem(): HealthMonitoringSystem {
  shared ??= new HealthMonitoringSystem()
  return shared
}
