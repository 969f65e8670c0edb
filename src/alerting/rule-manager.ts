/**
 * The rules, driven: each is evaluated when a reading has come and its interval is over, and at once when an event happens that it counts. What fires goes to the sink;
 * the states lie in the store, so that a restart neither forgets an alert nor tells it a second time.
 *
 *   reading ──▶ due? ──▶ evaluate ──▶ sink          event ──▶ counts it? ──▶ evaluate at once
 *                          └──▶ store (states), status (when, how long, why not)
 */
import type { RulesConfig } from '../config/types.ts'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { labelsKey } from '../kernel/labels.ts'
import type { Clock } from '../kernel/time.ts'
import type { PrometheusQueries } from '../metrics/ports.ts'
import type { SeriesReader } from '../metrics/types.ts'
import type { StateStore } from '../store/port.ts'
import { ClockWatch } from './core/clock-watch.ts'
import type { Element, Inputs } from './core/expression/inputs.ts'
import { AnomalyMemory } from './core/rules/anomalies.ts'
import { counted, EventWindow } from './core/rules/event-window.ts'
import { allRules, type Rule } from './core/rules/rule.ts'
import { RuleRunner, type Around, type TrackedAlert } from './core/rules/runner.ts'
import { shippedRules } from './core/rules/shipped.ts'
import { RuleStates } from './rule-states.ts'
import type { AlertSink, PutAlert } from './types.ts'

export interface RuleManagerDeps {
  readonly clock: Clock
  readonly store: StateStore
  readonly sink: AlertSink
  readonly series: SeriesReader
  /** Events of the last hours, for what is counted over a restart; oldest first. */
  readonly pastEvents: (type: string, since: number) => readonly AnyEvent[]
  readonly around: Around
  /** undefined: no server is configured. */
  readonly prometheus?: () => Pick<PrometheusQueries, 'query'> | undefined
  readonly onError: (error: unknown) => void
  /** All rules have been evaluated once: what fires is known. */
  readonly onFirst?: (() => void) | undefined
}

/** Where a rule stands. */
export interface RuleStatus {
  readonly rule: Rule
  readonly alerts: readonly TrackedAlert[]
  readonly lastAt: number | undefined
  /** Milliseconds that the last evaluation took. */
  readonly tookMs: number
  readonly evaluations: number
  /** Evaluations whose time had passed before anybody came to them. */
  readonly missed: number
  /** Why the last evaluation failed. */
  readonly error: string | undefined
  readonly failures: number
}

interface Driven {
  readonly runner: RuleRunner
  slot: number | undefined
  lastAt: number | undefined
  tookMs: number
  evaluations: number
  missed: number
  error: string | undefined
  failures: number
}

/** After so many failed evaluations in a row somebody is told. */
export const failuresUntilTold = 3
/** What is promised of a service of which nothing else is said. */
export const usualObjective = 0.999
/** Readings until the first evaluation: what was running before is being recognised. */
const firstReadings = 2
/** An answer of Prometheus is good for so many intervals. */
const answerIntervals = 3

export class RuleManager {
  readonly #deps: RuleManagerDeps
  readonly #events = new EventWindow()
  readonly #watch = new ClockWatch()
  readonly #anomalies = new AnomalyMemory()
  readonly #states: RuleStates
  readonly #answers = new Map<
    string,
    { readonly elements: readonly Element[]; readonly at: number } | { readonly error: unknown; readonly at: number }
  >()
  readonly #asking = new Set<string>()
  #rules = new Map<string, Driven>()
  #config: RulesConfig = { rules: [], defaultRules: false, objectives: {}, maintenance: [] }
  #since = 0
  #readings = 0
  #running = false

  constructor(deps: RuleManagerDeps) {
    this.#deps = deps
    this.#states = new RuleStates(deps)
  }

  /** Goes on where the last one stopped. */
  async start(config: RulesConfig): Promise<void> {
    await this.#states.load()
    this.#since = this.#deps.clock.wallTime()
    this.#running = true
    this.configure(config)
    this.#states.forgetOthers([...this.#rules.keys()])
  }

  /** States are written down. */
  async stop(): Promise<void> {
    this.#running = false
    for (const [name, { runner }] of this.#rules) this.#states.save(name, runner)
    await this.#states.flushed()
  }

  /** From now on these. A rule whose text has not changed goes on; the alerts of one that is gone are over. */
  configure(config: RulesConfig): void {
    this.#config = config
    const before = this.#rules
    const next = new Map<string, Driven>()
    const goOn = new Map<RuleRunner, ReadonlySet<string>>()
    for (const rule of allRules(config.rules, config.defaultRules ? shippedRules : [])) {
      const known = before.get(rule.name)
      if (known !== undefined && sameRule(known.runner.rule, rule)) next.set(rule.name, known)
      else if (rule.enabled) {
        const taken = this.#taken(rule)
        next.set(rule.name, taken)
        // Another text, severity or time: what is pending or fires need not begin anew, nor be told anew.
        if (known !== undefined && isSameQuestion(known.runner.rule, rule)) {
          goOn.set(known.runner, taken.runner.takeOver(known.runner))
          this.#states.dirty(rule.name)
        }
      }
    }
    this.#rules = next
    this.#events.watch(this.#windows())
    if (before.size === 0) this.#recall()
    for (const [name, { runner }] of before) {
      if (next.get(name)?.runner === runner) continue
      const same = goOn.get(runner)
      this.#put(runner.end(this.#deps.clock.wallTime()).filter(({ labels }) => same?.has(labelsKey(labels)) !== true))
      if (!next.has(name)) this.#states.forget(name)
    }
  }

  /** All that are evaluated. */
  get rules(): readonly RuleStatus[] {
    return [...this.#rules.values()].map(({ runner, slot: _, ...rest }) => ({ rule: runner.rule, alerts: runner.alerts, ...rest }))
  }

  /** A reading has come. */
  look(at: number): void {
    this.#lookAtClock()
    if (!this.#running || ++this.#readings < firstReadings) return
    for (const driven of this.#rules.values()) {
      const { intervalMs } = driven.runner.rule
      const slot = Math.floor(at / intervalMs)
      if (slot === driven.slot) continue
      if (driven.slot !== undefined && slot > driven.slot + 1) driven.missed += slot - driven.slot - 1
      driven.slot = slot
      this.#evaluate(driven, at)
    }
    this.#states.look(at, this.#rules)
    if (this.#readings === firstReadings) this.#deps.onFirst?.()
  }

  #lookAtClock(): void {
    const { clock } = this.#deps
    const by = this.#watch.jumped(clock.wallTime(), clock.now())
    if (by === 0) return
    this.#since += by
    this.#events.shift(by)
    for (const driven of this.#rules.values()) {
      driven.runner.shift(by)
      driven.slot = undefined
    }
  }

  /** An event has happened. */
  onEvent(event: AnyEvent): void {
    if (!this.#running || !this.#events.has(event.type)) return
    this.#events.add(counted(event))
    if (this.#readings < firstReadings) return
    for (const driven of this.#rules.values()) if (driven.runner.rule.condition.watches.includes(event.type)) this.#evaluate(driven, event.time)
  }

  /** What conditions are evaluated against; of another history for a back-test. */
  objective(service: string): number | undefined {
    return this.#config.objectives[service]?.availability ?? usualObjective
  }

  #taken(rule: Rule): Driven {
    const runner = new RuleRunner(rule, this.#deps.around)
    this.#states.restore(rule, runner, this.#deps.clock.wallTime())
    return { runner, slot: undefined, lastAt: undefined, tookMs: 0, evaluations: 0, missed: 0, error: undefined, failures: 0 }
  }

  /** The longest of each type. */
  #windows(): Map<string, number> {
    const windows = new Map<string, number>()
    for (const { runner } of this.#rules.values()) {
      const longest = Math.max(0, ...runner.rule.condition.eventWindows)
      for (const type of runner.rule.condition.watches) windows.set(type, Math.max(longest, windows.get(type) ?? 0))
    }
    return windows
  }

  #recall(): void {
    const now = this.#deps.clock.wallTime()
    for (const [type, windowMs] of this.#windows()) {
      try {
        for (const event of this.#deps.pastEvents(type, now - windowMs)) this.#events.add(counted(event))
      } catch (error) {
        this.#deps.onError(error)
      }
    }
  }

  #evaluate(driven: Driven, at: number): void {
    const { runner } = driven
    const before = this.#deps.clock.now()
    try {
      for (const query of runner.rule.condition.queries) this.#ask(query, runner.rule.intervalMs, at)
      const { puts, changed } = runner.evaluate(this.#inputs(at, runner.rule))
      this.#put(puts)
      if (changed) this.#states.dirty(runner.rule.name)
      if (driven.failures >= failuresUntilTold) this.#put([failing(runner.rule, driven.error ?? '', at, at)])
      Object.assign(driven, { error: undefined, failures: 0 })
    } catch (error) {
      Object.assign(driven, { error: messageOf(error), failures: driven.failures + 1 })
      if (!(error instanceof HoldfastError)) this.#deps.onError(error)
      if (driven.failures >= failuresUntilTold)
        this.#put([failing(runner.rule, messageOf(error), at, at + 4 * Math.max(60_000, runner.rule.intervalMs))])
    }
    Object.assign(driven, { lastAt: at, tookMs: this.#deps.clock.now() - before, evaluations: driven.evaluations + 1 })
  }

  #inputs(now: number, rule: Rule): Inputs {
    const { series } = this.#deps
    return {
      now,
      since: this.#since,
      series,
      events: (type, from, to) => this.#events.events(type, from, to),
      objective: (service) => this.objective(service),
      anomalies: (node, at, reader) => this.#anomalies.anomalies(node, at, reader),
      prometheus: (query) => this.#answer(query, now, rule.intervalMs),
    }
  }

  #put(alerts: readonly PutAlert[]): void {
    if (alerts.length === 0) return
    try {
      this.#deps.sink.put(alerts)
    } catch (error) {
      this.#deps.onError(error)
    }
  }

  // --- Prometheus -----------------------------------------------------------------------------------------------------

  /** Answers come in time for the next evaluation. */
  #ask(query: string, intervalMs: number, now: number): void {
    const last = this.#answers.get(query)
    if (this.#asking.has(query) || (last !== undefined && now - last.at < intervalMs / 2)) return
    const server = this.#deps.prometheus?.()
    if (server === undefined)
      throw new HoldfastError('no_prometheus', 'tried to ask a Prometheus server, found none in the configuration', {
        hint: 'set alerting.prometheus to its URL',
      })
    this.#asking.add(query)
    const at = (): number => this.#deps.clock.wallTime()
    void server
      .query(query)
      .then(
        (elements) => this.#answers.set(query, { elements, at: at() }),
        (error: unknown) => this.#answers.set(query, { error, at: at() }),
      )
      .finally(() => this.#asking.delete(query))
  }

  #answer(query: string, now: number, intervalMs: number): readonly Element[] {
    const last = this.#answers.get(query)
    if (last === undefined) return []
    if ('error' in last) throw last.error as Error
    if (now - last.at > answerIntervals * intervalMs)
      throw new HoldfastError(
        'prometheus_late',
        `tried to evaluate prometheus(${JSON.stringify(query)}): its last answer is ${Math.round((now - last.at) / 1_000)} s old`,
      )
    return last.elements
  }
}

/** Somebody should mend it: until then nobody is told of what it watches for. */
function failing(rule: Rule, error: string, startsAt: number, endsAt: number): PutAlert {
  return {
    labels: { alertname: 'RuleFailing', severity: 'warning', rule: rule.name },
    annotations: {
      summary: `the rule ${rule.name} cannot be evaluated: ${error}`,
      description: `${rule.condition.text}: what it watches for is told to nobody meanwhile.`,
    },
    startsAt,
    endsAt,
  }
}

const isSameQuestion = (a: Rule, b: Rule): boolean => a.condition.text === b.condition.text && a.clear?.text === b.clear?.text

const sameRule = (a: Rule, b: Rule): boolean => b.enabled && JSON.stringify(a) === JSON.stringify(b)
