/**
 * `HealthMonitor`: this machine, looked at again and again: cores, memory, disk, load, network, processes, connections; alerts at thresholds, and by rules of your own.
 * A face over the engine that the product runs.
 *
 *   const monitor = new HealthMonitor({ thresholds: { cpu: { warning: 80, critical: 95 } } })
 *   monitor.on('alert', (alert) => console.log(alert.message))
 *   await monitor.start()
 */
import { EventEmitter } from 'node:events'
import { HoldfastError } from '../kernel/errors.ts'
import { backgroundClock } from '../kernel/system.ts'
import type { Clock } from '../kernel/time.ts'
import { embedChecks, tell, type Embedded } from './embedded.ts'
import type { MachineView } from './machine/machine-view.ts'
import { connectionsProbe, cpuProbe, diskProbe, loadProbe, memoryProbe } from './probes/machine.ts'
import { networkProbe } from './probes/network.ts'
import type { CheckDetail, CheckLevel, Probe, ThresholdUnit } from './types.ts'

export const healthMetrics = ['cpu', 'memory', 'disk', 'load', 'network', 'processes', 'connections'] as const
/** Percent of `cpu`, `memory`, `disk`; by core of `load`; bytes a second of `network`; counts of the others. */
export type HealthMetric = (typeof healthMetrics)[number]

export interface HealthThreshold {
  readonly warning?: number | undefined
  readonly critical?: number | undefined
}

/** `when`: undefined for a metric that could not be read. */
export interface HealthAlertRule {
  readonly name: string
  readonly level?: 'warning' | 'critical'
  readonly when: (metrics: HealthReadings) => boolean
  readonly message?: string
}

export type HealthReadings = Readonly<Record<HealthMetric, number | undefined>>

export interface HealthMonitorOptions {
  /** Milliseconds. Default 60,000. */
  readonly interval?: number | undefined
  /** Beside the usual ones: 85 and 95 % of cpu, memory and disk, a load of 2 and 4 by core. */
  readonly thresholds?: Readonly<Partial<Record<HealthMetric, HealthThreshold>>> | undefined
  /** Whose file system is looked at. Default `/`. */
  readonly disk?: string | undefined
  /** So many readings in a row beyond a threshold until there is an alert. Default 1. */
  readonly alertAfter?: number | undefined
  readonly rules?: readonly HealthAlertRule[] | undefined
}

export interface MachineAlert {
  /** The metric, or the name of a rule. */
  readonly name: string
  readonly level: 'warning' | 'critical'
  readonly status: 'firing' | 'resolved'
  readonly value: number | undefined
  readonly message: string
}

export interface MachineHealth {
  readonly status: 'healthy' | 'warning' | 'critical' | 'unknown'
  readonly timestamp: Date
  readonly metrics: HealthReadings
  readonly alerts: readonly MachineAlert[]
}

const usual: Readonly<Partial<Record<HealthMetric, HealthThreshold>>> = {
  cpu: { warning: 85, critical: 95 },
  memory: { warning: 85, critical: 95 },
  disk: { warning: 85, critical: 95 },
  load: { warning: 2, critical: 4 },
}
const units: Readonly<Record<HealthMetric, ThresholdUnit>> = {
  cpu: 'percent',
  memory: 'percent',
  disk: 'percent',
  load: 'count',
  network: 'bytes',
  processes: 'count',
  connections: 'count',
}
const rulePrefix = 'rule:'
const rulesMax = 1_000

export class HealthMonitor extends EventEmitter<{ alert: [alert: MachineAlert] }> {
  readonly #options: HealthMonitorOptions
  readonly #clock: Clock
  readonly #rules = new Map<string, HealthAlertRule>()
  readonly #alerts = new Map<string, MachineAlert>()
  #embedded: Embedded | undefined

  /** Nothing runs before `start`. `clock`: for tests. */
  constructor(options: HealthMonitorOptions = {}, clock: Clock = backgroundClock) {
    super()
    this.#options = options
    this.#clock = clock
    for (const rule of options.rules ?? []) this.addAlertRule(rule)
  }

  /** Resolves when everything has been read once. Its timers keep no program alive. */
  async start(): Promise<void> {
    if (this.#embedded) return
    const embedded = embedChecks((type, check, data) => {
      this.#heard(type, check, data)
    }, this.#clock)
    this.#embedded = embedded
    await embedded.checks.start()
    for (const metric of healthMetrics)
      this.#add(metric, this.#probe(metric, embedded.machine), units[metric], { ...usual[metric], ...this.#options.thresholds?.[metric] })
    await Promise.all(healthMetrics.map((metric) => embedded.checks.run(metric)))
    for (const rule of this.#rules.values()) this.#addRule(rule)
    await Promise.all([...this.#rules.keys()].map((name) => embedded.checks.run(rulePrefix + name)))
  }

  /** Safe to call twice. */
  stop(): void {
    this.#embedded?.checks.stop()
    this.#embedded = undefined
    this.#alerts.clear()
  }

  [Symbol.dispose](): void {
    this.stop()
  }

  get running(): boolean {
    return this.#embedded !== undefined
  }

  /** Throws `conflict` when there is one of that name. */
  addAlertRule(rule: HealthAlertRule): void {
    if (this.#rules.has(rule.name)) throw new HoldfastError('conflict', `tried to add the alert rule ${rule.name}: there is one of that name`)
    if (this.#rules.size >= rulesMax) throw new HoldfastError('conflict', `tried to add the alert rule ${rule.name}: there are ${rulesMax} already`)
    this.#rules.set(rule.name, rule)
    if (this.#embedded) this.#addRule(rule)
  }

  /** Reads everything now. Rejects with `unavailable` before `start`. */
  async checkHealth(): Promise<MachineHealth> {
    const { checks } = this.#running()
    await Promise.all(healthMetrics.map((metric) => checks.run(metric)))
    await Promise.all([...this.#rules.keys()].map((name) => checks.run(rulePrefix + name)))
    return this.getHealthStatus()
  }

  getHealthStatus(): MachineHealth {
    const alerts = [...this.#alerts.values()]
    const metrics = this.#readings()
    const known = Object.values(metrics).some((value) => value !== undefined)
    const status = alerts.some(({ level }) => level === 'critical') ? 'critical' : alerts.length > 0 ? 'warning' : known ? 'healthy' : 'unknown'
    return { status, timestamp: new Date(this.#clock.wallTime()), metrics, alerts }
  }

  /** The last readings of one metric, oldest first; at most 60. */
  getHistory(metric: HealthMetric): readonly { readonly at: Date; readonly value: number | undefined }[] {
    return this.#running()
      .checks.get(metric)
      .outcomes.map(({ at, value }) => ({ at: new Date(at), value }))
  }

  #running(): Embedded {
    if (this.#embedded) return this.#embedded
    throw new HoldfastError('unavailable', 'the health monitor is not running', { hint: 'await start() first' })
  }

  #readings(): HealthReadings {
    const details = new Map<string, CheckDetail>()
    for (const metric of healthMetrics) if (this.#embedded?.checks.has(metric)) details.set(metric, this.#embedded.checks.get(metric))
    return Object.fromEntries(healthMetrics.map((metric) => [metric, details.get(metric)?.last?.value])) as HealthReadings
  }

  #probe(metric: HealthMetric, machine: MachineView): Probe {
    switch (metric) {
      case 'cpu':
        return cpuProbe(machine)
      case 'memory':
        return memoryProbe(machine)
      case 'disk':
        return diskProbe(this.#options.disk ?? '/')
      case 'load':
        return loadProbe(machine)
      case 'network':
        return networkProbe(undefined, machine)
      case 'processes':
        return {
          async run() {
            const value = (await machine.processes()).length
            return { outcome: 'pass', message: `${value} processes`, value, unit: 'count' }
          },
        }
      case 'connections':
        return connectionsProbe(undefined, machine)
    }
  }

  #addRule({ name, level = 'warning', when, message = `the rule ${name} holds` }: HealthAlertRule): void {
    const probe: Probe = {
      run: () => {
        const value = when(this.#readings()) ? 1 : 0
        return Promise.resolve({ outcome: 'pass', message, value, unit: 'count' })
      },
    }
    this.#add(rulePrefix + name, probe, 'count', level === 'critical' ? { critical: 1 } : { warning: 1 })
  }

  #add(name: string, probe: Probe, unit: ThresholdUnit, { warning, critical }: HealthThreshold): void {
    const { interval = 60_000, alertAfter = 1 } = this.#options
    const bound = (value: number | undefined): { readonly value: number; readonly unit: ThresholdUnit } | undefined =>
      value === undefined ? undefined : { value, unit }
    this.#running().checks.register({
      name,
      kind: 'custom',
      target: 'this machine',
      address: undefined,
      intervalMs: interval,
      timeoutMs: Math.min(interval, 10_000),
      alertAfter,
      rise: 1,
      warnAt: bound(warning),
      criticalAt: bound(critical),
      falling: false,
      hysteresis: 0.05,
      severity: 'critical',
      service: undefined,
      dependsOn: [],
      identity: name,
      probe: () => probe,
    })
  }

  /** A level that is critical is an alert once the check is down, so that `alertAfter` counts; a warning at once. */
  #heard(type: string, check: string, data: Readonly<Record<string, unknown>>): void {
    const message = typeof data.reason === 'string' ? data.reason : ''
    if (type === 'check.changed' && data.to === 'down') this.#set(check, 'critical', message)
    else if (type === 'check.changed') this.#set(check, this.#embedded?.checks.get(check).level ?? 'ok', message)
    else if (type === 'check.levelChanged' && data.to !== 'critical' && this.#alerts.get(check)?.level !== 'critical')
      this.#set(check, data.to as CheckLevel, message)
  }

  #set(check: string, level: CheckLevel, message: string): void {
    const name = check.startsWith(rulePrefix) ? check.slice(rulePrefix.length) : check
    const before = this.#alerts.get(check)
    const value = check.startsWith(rulePrefix) ? undefined : this.#embedded?.checks.get(check).last?.value
    if (level === 'ok') {
      this.#alerts.delete(check)
      if (before) tell(() => this.emit('alert', { ...before, status: 'resolved', value, message }))
      return
    }
    if (before?.level === level) return
    const alert: MachineAlert = { name, level, status: 'firing', value, message }
    this.#alerts.set(check, alert)
    tell(() => this.emit('alert', alert))
  }
}
