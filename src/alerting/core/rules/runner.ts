/**
 * One rule and all its alerts, through time: evaluates its condition, takes each alert a step on (`rule-machine.ts`), and says what the notifier is to hear.
 *
 *   condition ──elements──▶ one state for each label set ──firing, resolved──▶ told: once, again every minute, and when it is over
 *                                     └── changes too often: told as firing until it is calm (`flapping.ts`)
 *
 * The live rules, the back-test, the coverage report and the comparison with promtool all drive this one.
 */
import { labelsKey, type Labels } from '../../../kernel/labels.ts'
import type { PutAlert, Severity } from '../../types.ts'
import { evaluateJudged, type JudgedElement } from '../expression/evaluate.ts'
import type { Inputs } from '../expression/inputs.ts'
import { flapPercent, flapStates, isFlapping } from '../flapping.ts'
import { endsAt, evaluate, resendMs, resolvedRetentionMs, restored, type AlertState } from '../rule-machine.ts'
import type { Rule } from './rule.ts'
import { filledIn, ofWhom, shownValue } from './words.ts'

/** For flapping, a state is looked at no more often. */
export const flapSlotMs = 15_000
/** After it has been flapping, it must fire for so long until it is told again. */
export const holdDownMs = 5 * 60_000

/** An alert of a rule as it is kept, also over restarts. */
export interface TrackedAlert {
  /** All of them: those of the series, of the rule, `alertname` and `severity`. */
  readonly labels: Labels
  /** Those of the element. */
  readonly element: Labels
  /** What the condition said of it last, beside its value. */
  facts?: Labels
  state: AlertState | undefined
  /** What the notifier has heard last, and when. */
  told: 'firing' | 'resolved' | undefined
  toldAt: number
  startsAt: number
  resolvedAt: number
  flapping: boolean
  calmUntil: number
  /** Its last states, oldest first. */
  states: string[]
  slotAt: number
}

/** What happened around an alert. */
export interface Around {
  /** `revision 4 of shop, 42 s before`, with the event that tells of it. */
  change?(labels: Labels, startsAt: number): { readonly text: string; readonly event?: string } | undefined
  /** Of what was said to matter so much by itself: a check. */
  severity?(element: Labels): Severity | undefined
  /** A new revision of the service is being taken up. */
  deploying?(service: string, now: number): boolean
}

export interface RunnerOutcome {
  readonly puts: readonly PutAlert[]
  /** Something is to be saved. */
  readonly changed: boolean
}

export class RuleRunner {
  readonly rule: Rule
  readonly #around: Around
  readonly #alerts = new Map<string, TrackedAlert>()

  constructor(rule: Rule, around: Around = {}) {
    this.rule = rule
    this.#around = around
  }

  /** Pending and firing ones, and those that were resolved a short while ago. */
  get alerts(): readonly TrackedAlert[] {
    return [...this.#alerts.values()]
  }

  /** Throws what evaluating the condition throws; nothing has changed then. */
  evaluate(inputs: Inputs): RunnerOutcome {
    const { now } = inputs
    const held = this.#held(inputs)
    const puts: PutAlert[] = []
    let changed = false
    for (const [key, { labels }] of held) if (!this.#alerts.has(key)) this.#alerts.set(key, this.#fresh(labels, now))
    for (const [key, alert] of this.#alerts) {
      const before = alert.state
      const facts = held.get(key)?.facts
      if (facts !== undefined) alert.facts = facts
      alert.state = evaluate(before, held.get(key)?.value, now, this.rule)
      this.#watchFlapping(alert, now)
      const put = this.#tell(alert, now)
      if (put) puts.push(put)
      changed ||= put !== undefined || before?.phase !== alert.state?.phase || before?.keptSince !== alert.state?.keptSince
      if (isOver(alert, now)) this.#alerts.delete(key)
    }
    return { puts, changed }
  }

  /** Everything that is told as firing is over, because the rule is. */
  end(now: number): readonly PutAlert[] {
    return this.alerts
      .filter(({ told }) => told === 'firing')
      .map((alert) => ({ labels: alert.labels, annotations: this.#annotations(alert), startsAt: alert.startsAt, endsAt: now }))
  }

  /** Goes on with what was saved. */
  restore(saved: readonly TrackedAlert[], savedAt: number, now: number): void {
    // It was written by a clock that went ahead of this one.
    const by = Math.min(0, now - savedAt)
    for (const alert of saved.map((each) => shifted(each, by))) {
      const state = alert.state && restored(alert.state, savedAt + by, now, this.rule)
      if (state === undefined && alert.told !== 'firing') continue
      const labels = this.#labels(alert.element)
      this.#alerts.set(labelsKey(alert.element), { ...alert, labels, state, states: [...alert.states] })
    }
  }

  /** Goes on with what another one of the same condition knew. Returns the keys of the labels of what goes on being told as it was. */
  takeOver(before: RuleRunner): ReadonlySet<string> {
    const same = new Set<string>()
    for (const alert of before.alerts) {
      const labels = this.#labels(alert.element)
      const key = labelsKey(labels)
      const isSame = key === labelsKey(alert.labels)
      if (isSame) same.add(key)
      else if (alert.state === undefined || alert.state.phase === 'resolved') continue
      this.#alerts.set(labelsKey(alert.element), { ...alert, labels, states: [...alert.states], ...(!isSame && { told: undefined, toldAt: 0 }) })
    }
    return same
  }

  /** The clock on the wall was set by so much: what is pending or kept firing stays so for as long as it would have. */
  shift(by: number): void {
    for (const [key, alert] of this.#alerts) this.#alerts.set(key, shifted(alert, by))
  }

  #held(inputs: Inputs): ReadonlyMap<string, JudgedElement> {
    const { condition, clear } = this.rule
    const held = new Map(evaluateJudged(condition.expression, inputs).flatMap((one) => (one.holds ? [[labelsKey(one.labels), one] as const] : [])))
    if (clear === undefined) return held
    const clears = new Map(evaluateJudged(clear.expression, inputs).map((one) => [labelsKey(one.labels), one]))
    for (const [key, { state }] of this.#alerts) {
      const one = clears.get(key)
      // It goes on until the other condition holds. What is not measured any more is over.
      if (state?.phase === 'firing' && !held.has(key) && one?.holds === false) held.set(key, one)
    }
    return held
  }

  #labels(element: Labels): Labels {
    return { severity: this.#around.severity?.(element) ?? this.rule.severity, ...element, ...this.rule.labels, alertname: this.rule.name }
  }

  #fresh(element: Labels, now: number): TrackedAlert {
    const labels = this.#labels(element)
    return {
      labels,
      element,
      state: undefined,
      told: undefined,
      toldAt: 0,
      startsAt: now,
      resolvedAt: 0,
      flapping: false,
      calmUntil: 0,
      states: ['ok'],
      slotAt: now,
    }
  }

  #watchFlapping(alert: TrackedAlert, now: number): void {
    const state = alert.state?.phase === 'firing' ? 'firing' : 'ok'
    if (alert.states.at(-1) === state && now - alert.slotAt < flapSlotMs) return
    alert.slotAt = now
    alert.states.push(state)
    if (alert.states.length > flapStates) alert.states.shift()
    const flapping = isFlapping(alert.flapping, flapPercent(alert.states))
    if (alert.flapping && !flapping) alert.calmUntil = now + holdDownMs
    alert.flapping = flapping
  }

  #tell(alert: TrackedAlert, now: number): PutAlert | undefined {
    const firing = alert.state?.phase === 'firing' && (alert.told === 'firing' || this.#mayBegin(alert, now))
    if (firing || (alert.flapping && alert.told === 'firing')) {
      if (alert.told === 'firing' && alert.toldAt + resendMs >= now) return undefined
      if (alert.told !== 'firing') alert.startsAt = alert.state?.firedAt ?? now
      Object.assign(alert, { told: 'firing', toldAt: now })
      const until =
        alert.state?.phase === 'firing' ? endsAt(alert.state, now, this.rule.intervalMs) : now + 4 * Math.max(resendMs, this.rule.intervalMs)
      return { labels: alert.labels, annotations: this.#annotations(alert), startsAt: alert.startsAt, endsAt: until }
    }
    if (alert.told === undefined) return undefined
    if (alert.told === 'firing') Object.assign(alert, { told: 'resolved', resolvedAt: now })
    else if (alert.toldAt + resendMs >= now) return undefined
    alert.toldAt = now
    return { labels: alert.labels, annotations: this.#annotations(alert), startsAt: alert.startsAt, endsAt: alert.resolvedAt }
  }

  #mayBegin({ labels, calmUntil, state }: TrackedAlert, now: number): boolean {
    if (now < calmUntil && now - (state?.firedAt ?? now) < holdDownMs) return false
    return !this.rule.quietDuringDeploy || labels.service === undefined || this.#around.deploying?.(labels.service, now) !== true
  }

  #annotations({ labels, facts, state, startsAt, flapping }: TrackedAlert): Labels {
    const { rule } = this
    const value = shownValue(state?.value ?? 0, rule.condition.dimension)
    const change = this.#around.change?.(labels, startsAt)
    const said = facts?.observed === undefined ? value : `${facts.observed}, expected ${facts.expected ?? ''}`
    const own = Object.entries({ summary: `${rule.name}${ofWhom(labels)}: ${said} (${rule.condition.text})`, ...rule.annotations })
    const words = { ...labels, ...facts }
    return {
      ...Object.fromEntries(own.map(([name, text]) => [name, filledIn(text, words, value)])),
      value,
      ...(rule.runbook !== undefined && { runbook: filledIn(rule.runbook, words, value) }),
      ...(rule.owner !== undefined && { owner: rule.owner }),
      ...(change && { change: change.text, ...(change.event !== undefined && { event: change.event }) }),
      ...(flapping && { flapping: 'true' }),
    }
  }
}

function shifted(alert: TrackedAlert, by: number): TrackedAlert {
  const moved = (at: number | undefined): number | undefined => at && at + by
  const { state } = alert
  return {
    ...alert,
    toldAt: alert.toldAt + by,
    startsAt: alert.startsAt + by,
    resolvedAt: alert.resolvedAt + by,
    calmUntil: alert.calmUntil + by,
    slotAt: alert.slotAt + by,
    state: state && {
      ...state,
      activeAt: state.activeAt + by,
      firedAt: moved(state.firedAt),
      keptSince: moved(state.keptSince),
      resolvedAt: moved(state.resolvedAt),
      lastSentAt: moved(state.lastSentAt),
    },
  }
}

/** There is nothing left to tell, and no change left to count. */
function isOver({ state, told, flapping, resolvedAt, states, calmUntil }: TrackedAlert, now: number): boolean {
  if (state !== undefined && state.phase !== 'resolved') return false
  if (flapping || told === 'firing' || now < calmUntil) return false
  if (told === 'resolved' && now - resolvedAt <= resolvedRetentionMs) return false
  return told !== undefined || states.every((one) => one === 'ok')
}
