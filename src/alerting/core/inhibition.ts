/**
 * What an alert that has to do with another one is kept quiet by (Alertmanager, inhibit/inhibit.go). Sources are found by the values of the labels that must
 * be equal, so a target costs the same however many sources there are.
 */
import type { Labels } from '../../kernel/labels.ts'
import { labelOf, matches, type Matcher } from './matchers.ts'

export interface InhibitRule {
  readonly source: readonly Matcher[]
  readonly target: readonly Matcher[]
  /** Missing labels are equal to empty ones. */
  readonly equal: readonly string[]
}

export interface Source {
  readonly fingerprint: string
  readonly labels: Labels
}

export class Inhibitor {
  readonly #rules: readonly { readonly rule: InhibitRule; readonly sources: Map<string, Map<string, Source>> }[]

  constructor(rules: readonly InhibitRule[]) {
    this.#rules = rules.map((rule) => ({ rule, sources: new Map<string, Map<string, Source>>() }))
  }

  /** It fires. */
  add(alert: Source): void {
    for (const { rule, sources } of this.#rules) {
      if (!matches(rule.source, alert.labels)) continue
      const key = tuple(rule, alert.labels)
      const same = sources.get(key) ?? new Map<string, Source>()
      same.set(alert.fingerprint, alert)
      sources.set(key, same)
    }
  }

  /** It is resolved. */
  remove(alert: Source): void {
    for (const { rule, sources } of this.#rules) {
      const key = tuple(rule, alert.labels)
      const same = sources.get(key)
      if (same?.delete(alert.fingerprint) === true && same.size === 0) sources.delete(key)
    }
  }

  /** The first alert that keeps it quiet. What is source and target of a rule is not kept quiet by another that is both. */
  inhibitedBy(alert: Source): Source | undefined {
    for (const { rule, sources } of this.#rules) {
      if (!matches(rule.target, alert.labels)) continue
      const same = sources.get(tuple(rule, alert.labels))
      if (same === undefined) continue
      const isSource = matches(rule.source, alert.labels)
      for (const source of same.values()) {
        if (isSource && matches(rule.target, source.labels)) continue
        return source
      }
    }
    return undefined
  }
}

const tuple = ({ equal }: InhibitRule, labels: Labels): string => JSON.stringify(equal.map((name) => labelOf(labels, name)))
