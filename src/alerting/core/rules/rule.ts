/** A rule, ready to run: its condition compiled, what was left out filled in. */
import type { RuleConfig } from '../../../config/types.ts'
import type { Labels } from '../../../kernel/labels.ts'
import type { Severity } from '../../types.ts'
import { compileCondition, type Condition } from '../expression/condition.ts'

export interface Rule {
  readonly name: string
  readonly condition: Condition
  readonly clear: Condition | undefined
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly severity: Severity
  readonly labels: Labels
  readonly annotations: Labels
  readonly runbook: string | undefined
  readonly owner: string | undefined
  readonly intervalMs: number
  readonly enabled: boolean
  /** It is one of those that are shipped, perhaps with changes. */
  readonly shipped: boolean
  /** What a new revision brings along by itself is not told of its service while it is being taken up. */
  readonly quietDuringDeploy: boolean
}

/** A rule that is shipped: a configuration with all that an operator wants to know of it. */
export interface ShippedRule extends Partial<RuleConfig> {
  readonly name: string
  readonly when: string
  readonly severity: Severity
  /** Why it is there. */
  readonly why: string
  /** What to do when it fires. */
  readonly runbook: string
  readonly quietDuringDeploy?: boolean
}

/** Each reading. */
export const plainIntervalMs = 1_000
/** Of conditions that look far back, or elsewhere. */
export const costlyIntervalMs = 15_000

/** Throws `condition_invalid`. `shipped`: the one whose name it has, from which comes what it leaves out. */
export function compileRule(given: Partial<RuleConfig> & { readonly name: string }, shipped?: ShippedRule): Rule {
  const when = given.when ?? shipped?.when ?? ''
  const condition = compileCondition(when)
  const clearWhen = given.clearWhen ?? (given.when === undefined ? shipped?.clearWhen : undefined)
  const clear = clearWhen === undefined ? undefined : compileCondition(clearWhen)
  return {
    name: given.name,
    condition,
    clear,
    forMs: given.for ?? shipped?.for ?? 0,
    keepFiringForMs: given.keepFiringFor ?? shipped?.keepFiringFor ?? 0,
    severity: given.severity ?? shipped?.severity ?? 'warning',
    labels: { ...shipped?.labels, ...given.labels },
    annotations: { ...shipped?.annotations, ...given.annotations },
    runbook: given.runbook ?? shipped?.runbook,
    owner: given.owner,
    intervalMs: given.interval ?? shipped?.interval ?? (condition.costly || clear?.costly === true ? costlyIntervalMs : plainIntervalMs),
    enabled: given.enabled ?? shipped?.enabled ?? true,
    shipped: shipped !== undefined,
    quietDuringDeploy: shipped?.quietDuringDeploy ?? false,
  }
}

/** All that are to be evaluated: those of the configuration, and the shipped ones that it does not speak of. */
export function allRules(configured: readonly RuleConfig[], shipped: readonly ShippedRule[]): readonly Rule[] {
  const byName = new Map(shipped.map((rule) => [rule.name, rule]))
  const own = new Set(configured.map(({ name }) => name))
  return [
    ...configured.map((rule) => compileRule(rule, byName.get(rule.name))),
    ...shipped.filter(({ name }) => !own.has(name)).map((rule) => compileRule(rule, rule)),
  ]
}
