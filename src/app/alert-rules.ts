/** The rules, joined to the parts that they look at: readings, events, changes, certificates; and what a user can ask of them. */
import { backtesting, type BacktestData, type TimeWindow } from '../alerting/core/backtest/backtest.ts'
import { rowsAsSeries, seriesNodesOf } from '../alerting/core/backtest/rows.ts'
import { backtestSentence } from '../alerting/core/backtest/words.ts'
import { walk } from '../alerting/core/expression/ast.ts'
import { coverageOf, type CoverageReport } from '../alerting/core/quality/coverage.ts'
import { precisionOf, type MinuteCounts, type Page, type PrecisionReport } from '../alerting/core/quality/precision.ts'
import { burnPairs } from '../alerting/core/expression/burn.ts'
import { selectorOf } from '../alerting/core/expression/evaluate.ts'
import { anomalyHistoryMs } from '../alerting/core/rules/anomalies.ts'
import { ChangeLog } from '../alerting/core/rules/changes.ts'
import { counted } from '../alerting/core/rules/event-window.ts'
import { MaintenancePlan } from '../alerting/core/rules/maintenance.ts'
import { allRules, compileRule, type Rule } from '../alerting/core/rules/rule.ts'
import { shippedRules } from '../alerting/core/rules/shipped.ts'
import { shownValue } from '../alerting/core/rules/words.ts'
import type { CertificateStatus } from '../balancer/index.ts'
import { nearest } from '../config/core/words.ts'
import type { Incident } from '../alerting/core/incidents.ts'
import { RuleManager, type RuleStatus } from '../alerting/index.ts'
import type { AlertSink, MaintenanceReader, Severity } from '../alerting/types.ts'
import type { RulesConfig } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { fingerprint, type Labels } from '../kernel/labels.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { PrometheusReader } from '../metrics/index.ts'
import type { Reading, Sample, SampleSource, Series, SeriesReader } from '../metrics/types.ts'
import type { EventQuery, StateStore } from '../store/port.ts'
import { incidentsOf } from './known-incidents.ts'
import type { BacktestAnswer, BacktestOrder, RuleOperations, RuleReport } from './rule-operations.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
/** Of a back-test that does not say since when. */
const backtestMs = 7 * dayMs
/** Events that a back-test or a restart looks back at. */
const pastEventsMax = 20_000
const eventsAtOnce = 1_000

export interface AlertRulesDeps {
  readonly clock: Clock
  readonly store: StateStore
  readonly events: {
    on(type: '*', listener: (event: AnyEvent) => unknown): Disposable
    query(query: EventQuery): readonly AnyEvent[]
  }
  readonly seeing: {
    readonly series: SeriesReader
    register(source: SampleSource): Disposable
    onReading(listener: (reading: Reading) => void): Disposable
  }
  readonly config: () => RulesConfig
  readonly sink: AlertSink
  /** Once, when all rules have been evaluated. */
  readonly onFirst?: () => void
  readonly certificates: () => readonly CertificateStatus[]
  readonly checkSeverity?: (check: string) => Severity | undefined
  readonly services: () => readonly string[]
  readonly checks: () => readonly string[]
  /** That there were. */
  readonly incidents: () => readonly Incident[]
  /** Services that need it. */
  readonly dependants: (service: string) => readonly string[]
  readonly onError: (error: unknown) => void
}

export class AlertRules implements RuleOperations, MaintenanceReader, SampleSource {
  readonly #deps: AlertRulesDeps
  readonly #manager: RuleManager
  readonly #changes = new ChangeLog()
  #plan = new MaintenancePlan([])
  #prometheus: PrometheusReader | undefined
  #listening: Disposable[] = []

  constructor(deps: AlertRulesDeps) {
    this.#deps = deps
    const { clock, store, sink, seeing, checkSeverity, onError, onFirst } = deps
    this.#manager = new RuleManager({
      clock,
      store,
      sink,
      onFirst,
      series: seeing.series,
      pastEvents: (type, since) => this.#pastEvents({ type, since }),
      around: {
        change: (labels, at) => this.#changes.before(labels, at),
        deploying: (service, now) => this.#changes.deploying(service, now),
        severity: ({ check }) => (check === undefined ? undefined : checkSeverity?.(check)),
      },
      prometheus: () => this.#prometheus,
      onError,
    })
  }

  async start(): Promise<void> {
    const { seeing, events, config } = this.#deps
    this.#take(config())
    await this.#manager.start(config())
    this.#listening = [
      seeing.register(this),
      seeing.onReading(({ at }) => {
        this.#manager.look(at)
      }),
      events.on('*', (event) => {
        this.#changes.note(event)
        this.#manager.onEvent(event)
      }),
    ]
  }

  async stop(): Promise<void> {
    for (const each of this.#listening.splice(0)) each[Symbol.dispose]()
    await this.#manager.stop()
  }

  /** The configuration has changed. */
  configure(): void {
    const config = this.#deps.config()
    this.#take(config)
    this.#manager.configure(config)
  }

  #take({ maintenance, prometheus }: RulesConfig): void {
    this.#plan = new MaintenancePlan(maintenance)
    this.#prometheus = prometheus && new PrometheusReader(prometheus)
  }

  /** Days until certificates expire. */
  samples(): readonly Sample[] {
    const now = this.#deps.clock.wallTime()
    return this.#deps
      .certificates()
      .map(({ listener, file, expiresAt }) => ({ metric: 'certificate_days', labels: { listener, file }, value: (expiresAt - now) / dayMs }))
  }

  inMaintenance(labels: Labels): boolean {
    return this.#plan.covers(labels, this.#deps.clock.wallTime())
  }

  // --- questions ----------------------------------------------------------------------------------------------------------

  list(): readonly RuleReport[] {
    const driven = new Map(this.#manager.rules.map((status) => [status.rule.name, status]))
    return this.#all().map((rule) => reportOf(rule, driven.get(rule.name)))
  }

  #all(): readonly Rule[] {
    const { rules, defaultRules } = this.#deps.config()
    return allRules(rules, defaultRules ? shippedRules : [])
  }

  async backtest(order: BacktestOrder): Promise<BacktestAnswer> {
    const rule = this.#ruleOf(order)
    const data = order.rows === undefined ? this.#past(rule, order) : rowsAsSeries(rule, order.rows, order)
    const windows = order.windows ?? (order.rows === undefined ? this.#incidentsOf(rule, data) : undefined)
    const report = await this.#inPieces(backtesting(rule, { ...data, objective: (service) => this.#manager.objective(service), windows }))
    return { ...report, rule: rule.name, when: rule.condition.text, sentence: backtestSentence(report) }
  }

  #incidentsOf(rule: Rule, time: { readonly from: number; readonly to: number }): readonly TimeWindow[] | undefined {
    const services = seriesNodesOf(rule).flatMap((node) => selectorOf(node).labels?.service ?? [])
    return incidentsOf({ name: rule.name, services }, this.#deps.incidents(), time)
  }

  coverage(): Promise<CoverageReport> {
    const { services, checks } = this.#deps
    return this.#inPieces(coverageOf(this.#all(), { services: services(), checks: checks() }, (service) => this.#manager.objective(service)))
  }

  precision(since: number): PrecisionReport {
    const to = this.#deps.clock.wallTime()
    return precisionOf({
      from: since,
      to,
      pages: pagesOf(this.#pastEvents({ type: 'alert', since })),
      requests: this.#requests(since, to),
      objective: (service) => this.#manager.objective(service),
      dependants: this.#deps.dependants,
    })
  }

  #requests(from: number, to: number): ReadonlyMap<string, readonly MinuteCounts[]> {
    const minutes = new Map<string, Map<number, { good: number; bad: number }>>()
    for (const side of ['good', 'bad'] as const) {
      for (const { labels, points } of this.#deps.seeing.series.range({ metric: `requests_${side}`, from, to, step: minuteMs })) {
        const known = minutes.get(labels.service ?? '') ?? new Map<number, { good: number; bad: number }>()
        minutes.set(labels.service ?? '', known)
        for (const { at, mean, count } of points) {
          const counts = known.get(at) ?? { good: 0, bad: 0 }
          counts[side] += mean * count
          known.set(at, counts)
        }
      }
    }
    return new Map(
      [...minutes].map(([service, known]) => [service, [...known].map(([at, counts]) => ({ at, ...counts })).sort((a, b) => a.at - b.at)]),
    )
  }

  /** Traffic and supervision come first. */
  async #inPieces<T>(steps: Generator<undefined, T>): Promise<T> {
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) return value
      await new Promise<void>((resolve) => void this.#deps.clock.schedule(after(this.#deps.clock.now(), ms(0)), resolve))
    }
  }

  #ruleOf({ rule: name, when, clearWhen, forMs, keepFiringForMs }: BacktestOrder): Rule {
    const configured = this.#deps.config().rules.find((one) => one.name === name)
    const shipped = shippedRules.find((one) => one.name === name)
    if (configured === undefined && shipped === undefined && when === undefined) {
      const names = [...this.#deps.config().rules, ...shippedRules].map((one) => one.name)
      const near = nearest(name, names)
      throw new HoldfastError('unknown_rule', `looked for the rule ${name}, found none of this name`, {
        hint: near === undefined ? `give it a condition, or name one of: ${names.join(', ')}` : `did you mean ${near}?`,
      })
    }
    const base = compileRule(
      { name, ...configured, ...(when !== undefined && { when, clearWhen: undefined }), ...(clearWhen !== undefined && { clearWhen }) },
      shipped,
    )
    return { ...base, ...(forMs !== undefined && { forMs }), ...(keepFiringForMs !== undefined && { keepFiringForMs }) }
  }

  #past(rule: Rule, order: BacktestOrder): Omit<BacktestData, 'objective'> {
    const now = this.#deps.clock.wallTime()
    const to = Math.min(order.to ?? now, now)
    const from = order.from ?? to - backtestMs
    if (from >= to) throw new HoldfastError('invalid_input', 'tried to back-test a rule over a time that ends before it begins')
    if (rule.condition.queries.length > 0)
      throw new HoldfastError('invalid_input', `tried to back-test ${rule.name}: what a Prometheus server measured is not kept here`, {
        hint: 'use promtool test rules, or --csv with rows of it',
      })
    const { series } = this.#deps.seeing
    const begin = from - lookBackOf(rule)
    const step = to - begin > 60 * minuteMs ? minuteMs : 1_000
    const wanted = new Map(seriesNodesOf(rule).map((node) => [JSON.stringify(selectorOf(node)), selectorOf(node)]))
    for (const metric of ['requests_good', 'requests_bad']) wanted.set(metric, { metric })
    const all = new Map<string, Series>()
    for (const selector of wanted.values())
      for (const one of series.range({ ...selector, from: begin, to, step })) all.set(`${one.metric} ${JSON.stringify(one.labels)}`, one)
    const events = rule.condition.watches.flatMap((type) => this.#pastEvents({ type, since: begin })).map(counted)
    return { series: [...all.values()], events: events.sort((a, b) => a.at - b.at), from, to }
  }

  /** Oldest first. */
  #pastEvents(query: EventQuery): readonly AnyEvent[] {
    const found: AnyEvent[] = []
    let next = 0
    while (found.length < pastEventsMax) {
      const page = this.#deps.events.query({ ...query, order: 'ascending', after: next, limit: eventsAtOnce })
      found.push(...page)
      if (page.length < eventsAtOnce) break
      next = page.at(-1)?.seq ?? next
    }
    return found
  }
}

/** How long before the first evaluation it must know what was. */
function lookBackOf({ condition, forMs }: Rule): number {
  return [...walk(condition.expression)].reduce((longest, node) => {
    if (node.kind === 'anomaly') return Math.max(longest, anomalyHistoryMs)
    if (node.kind === 'burn')
      return Math.max(longest, typeof node.window === 'number' ? node.window : Math.max(...burnPairs[node.window].map(({ longMs }) => longMs)))
    return 'windowMs' in node ? Math.max(longest, node.windowMs) : longest
  }, forMs)
}

function reportOf(rule: Rule, status: RuleStatus | undefined): RuleReport {
  const { name, condition, clear, forMs, keepFiringForMs, intervalMs, severity, labels, owner, runbook, shipped } = rule
  const alerts = (status?.alerts ?? []).flatMap(({ labels: all, state, flapping }) =>
    state === undefined || state.phase === 'resolved'
      ? []
      : [
          {
            labels: all,
            phase: state.phase,
            since: state.activeAt,
            firedAt: state.firedAt,
            value: shownValue(state.value, condition.dimension),
            flapping,
          },
        ],
  )
  return {
    ...{ name, forMs, keepFiringForMs, intervalMs, severity, labels, owner, runbook, shipped, alerts },
    when: condition.text,
    clearWhen: clear?.text,
    why: shippedRules.find((one) => one.name === name)?.why,
    state: stateOf(status, alerts),
    lastAt: status?.lastAt,
    tookMs: status?.tookMs ?? 0,
    evaluations: status?.evaluations ?? 0,
    missed: status?.missed ?? 0,
    error: status?.error,
  }
}

function stateOf(status: RuleStatus | undefined, alerts: RuleReport['alerts']): RuleReport['state'] {
  if (status === undefined) return 'off'
  if (status.error !== undefined) return 'failing'
  if (alerts.some(({ phase }) => phase === 'firing')) return 'firing'
  return alerts.length > 0 ? 'pending' : 'inactive'
}

/** Alerts that somebody was told of, each with its end and with when somebody took it on. */
function pagesOf(events: readonly AnyEvent[]): readonly Page[] {
  const pages: { rule: string; labels: Labels; at: number; until: number | undefined; ackedAt: number | undefined }[] = []
  const open = new Map<string, (typeof pages)[number]>()
  const quiet = new Set<string>()
  for (const event of events) {
    if (event.type === 'alert.fired') {
      const page = { rule: event.data.alertname, labels: event.data.labels, at: event.time, until: undefined, ackedAt: undefined }
      pages.push(page)
      open.set(event.data.fingerprint, page)
    } else if (event.type === 'alert.resolved') {
      Object.assign(open.get(event.data.fingerprint) ?? {}, { until: event.time })
      open.delete(event.data.fingerprint)
    } else if (event.type === 'alert.acknowledged') Object.assign(open.get(event.data.fingerprint) ?? {}, { ackedAt: event.time })
    else if (event.type === 'alert.suppressed') quiet.add(event.data.fingerprint)
  }
  return pages.filter(({ labels }) => !quiet.has(fingerprint(labels)))
}
