/**
 * The half of the control plane that watches: it reads, checks, judges, tells, and acts by policies. What it reads of the half that
 * runs things (services, traffic, switches) it asks for when it needs it; nothing that runs waits for it.
 *
 *   readings, probes, events ──▶ checks, rules ──alerts──▶ dependencies ──▶ notifications ──▶ receivers, status page
 *                                   └──events──▶ policies ──▶ operations
 */
import { impactOf } from '../dependencies/core/impact.ts'
import type { ProxyClient } from '../balancer/index.ts'
import type { Config } from '../config/index.ts'
import { aborted } from '../kernel/lifecycle.ts'
import type { Random } from '../kernel/random.ts'
import type { Clock } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import { AlertRules } from './alert-rules.ts'
import type { Certificates } from './certificates.ts'
import { HealthChecks } from './checks.ts'
import { Dependencies } from './dependencies.ts'
import { checkSource } from './dependency-facts.ts'
import type { EventBus } from './event-bus.ts'
import { Notifications } from './notifications.ts'
import type { Operations } from './operations.ts'
import type { Parts } from './parts.ts'
import { Policies } from './policies.ts'
import { Profiling } from './profiling.ts'
import type { Switches } from './routing.ts'
import { SeeingMetrics } from './seeing-metrics.ts'
import { PublicStatus } from './status-page.ts'
import type { Traffic } from './traffic.ts'

export interface WatchingDeps {
  readonly clock: Clock
  readonly random: Random
  readonly newId: () => string
  readonly store: StateStore
  readonly events: EventBus
  /** The data directory. */
  readonly directory: string
  /** In force now. */
  readonly config: () => Config
  readonly operations: () => Operations
  readonly traffic: Traffic
  readonly proxy: ProxyClient
  readonly switches: () => Switches
  readonly certificates: () => Certificates['statuses']
  readonly apiUrl: () => string
  /** Makes a listener of errors that says what failed. */
  readonly problem: (what: string) => (error: unknown) => void
}

export class Watching {
  readonly seeing: SeeingMetrics
  readonly checks: HealthChecks
  readonly policies: Policies
  readonly profiling: Profiling
  /** What needs what. */
  readonly dependencies: Dependencies
  readonly notifications: Notifications
  readonly rules: AlertRules
  readonly statusPage: PublicStatus
  readonly #deps: WatchingDeps

  constructor(deps: WatchingDeps) {
    const { clock, random, newId, store, events, directory, config, operations, traffic, proxy, problem } = deps
    const services = (): ReturnType<Operations['services']> => operations().services()
    this.#deps = deps
    this.seeing = new SeeingMetrics({
      ...{ clock, events, directory, services },
      telemetry: () => traffic.latest,
      proxyConnected: () => proxy.connected,
      onError: problem('reading the metrics'),
    })
    this.checks = new HealthChecks({
      ...{ clock, random, events, store, config, services, traffic },
      alerts: () => this.notifications.notifier,
      onProblem: problem('a check could not be carried on'),
    })
    this.seeing.register(this.checks)
    this.policies = new Policies({ clock, events, store, config, operations, onProblem: problem('a policy could not be carried out') })
    this.profiling = new Profiling({
      ...{ clock, events, proxy, directory },
      service: (name) => operations().service(name),
      onError: problem('keeping a profile'),
    })
    this.dependencies = new Dependencies({
      ...{ clock, events, store, config, services },
      checks: checkSource(this.checks, config),
      onError: problem('finding out what needs what'),
    })
    this.notifications = new Notifications({
      ...{ clock, random, store, events, newId, config },
      apiUrl: deps.apiUrl,
      suppressor: this.dependencies,
      maintenance: {
        inMaintenance: (labels) =>
          (labels.service !== undefined && deps.switches().maintenanceServices.includes(labels.service)) || this.rules.inMaintenance(labels),
      },
      onProblem: problem('telling of alerts'),
    })
    this.rules = new AlertRules({
      ...{ clock, store, events, seeing: this.seeing },
      config: () => config().alerting,
      incidents: () => this.notifications.incidents(),
      sink: this.dependencies.sink(this.notifications.notifier),
      onFirst: () => {
        this.notifications.notifier.settled()
      },
      certificates: deps.certificates,
      services: () => Object.keys(config().services),
      checks: () => (config().health?.checks ?? []).map(({ name }) => name),
      dependants: (service) => impactOf(this.dependencies.graph, service)?.affected.map(({ name }) => name) ?? [],
      checkSeverity: (check) => this.checks.checks().find(({ name }) => name === check)?.severity,
      onError: problem('a rule could not be carried on'),
    })
    this.statusPage = new PublicStatus({
      ...{ clock, config, services },
      maintenanceEvents: (service) => events.query({ type: 'service.maintenanceChanged', service, limit: 1 }),
      incidents: { published: () => this.notifications.published() },
      uptime: { days: (service, count) => this.seeing.uptime.days(service, count) },
    })
    this.#listen()
  }

  #listen(): void {
    const { events, operations } = this.#deps
    events.on('*', (event) => {
      this.policies.hear(event)
    })
    events.on('config.applied', () => {
      this.checks.apply()
      this.rules.configure()
    })
    for (const type of ['check.changed', 'check.suspected'] as const)
      events.on(type, () => {
        this.dependencies.look(operations().services())
      })
  }

  /** What must be there before anything is run: who tells of it, and who keeps it. */
  async start(parts: Parts): Promise<void> {
    await this.notifications.start()
    parts.started('notifications', (deadline) => Promise.race([this.notifications.stop(), aborted(deadline)]))
    await this.seeing.start()
    parts.started('history', () => {
      this.seeing.stop()
    })
    await this.dependencies.start()
    parts.started('dependencies', () => this.dependencies.stop())
    await this.profiling.start()
    parts.started('profiling', () => {
      this.profiling.stop()
    })
  }

  /** There is something to judge now. */
  async judge(parts: Parts): Promise<void> {
    await this.checks.start()
    await this.policies.start()
    parts.started('checks and policies', () => {
      this.#rest()
    })
    await this.rules.start()
    parts.started('rules', () => this.rules.stop())
  }

  /** Everything is about to be stopped, which is nobody's failure. */
  async cease(): Promise<void> {
    this.#rest()
    await this.rules.stop()
  }

  #rest(): void {
    this.checks.stop()
    this.policies.stop()
  }
}
