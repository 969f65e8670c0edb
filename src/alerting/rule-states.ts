/** The states of rules in the store: read once, written when they change and every half minute while something fires. */
import { messageOf, HoldfastError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/time.ts'
import { counted } from '../kernel/words.ts'
import type { StateStore, Write } from '../store/port.ts'
import type { Rule } from './core/rules/rule.ts'
import type { RuleRunner, TrackedAlert } from './core/rules/runner.ts'

const prefix = 'alerting/rules/'
/** While anything is pending or fires, so that a restart knows how long it was away. */
const everyMs = 30_000
/** Writes of one transaction; the others follow with the next look. */
const writesMax = 64

interface Saved {
  /** Of another condition, the alerts mean nothing. */
  readonly when: string
  readonly savedAt: number
  readonly alerts: readonly TrackedAlert[]
}

export interface RuleStatesDeps {
  readonly store: StateStore
  readonly clock: Clock
  readonly onError: (error: unknown) => void
}

export class RuleStates {
  readonly #deps: RuleStatesDeps
  readonly #saved = new Map<string, Saved>()
  readonly #dirty = new Set<string>()
  readonly #pending = new Map<string, Saved | undefined>()
  #writing: Promise<void> | undefined
  #lastAt = 0
  #failing = false

  constructor(deps: RuleStatesDeps) {
    this.#deps = deps
  }

  async load(): Promise<void> {
    const entries = await this.#deps.store.list<Saved>(prefix)
    for (const { key, value } of entries) {
      const name = key.slice(prefix.length)
      if (isSaved(value)) this.#saved.set(name, value)
      else {
        this.#pending.set(name, undefined)
        this.#deps.onError(
          new HoldfastError('rules_unreadable', `tried to read the states of the rule ${name}: found something else; it begins anew`),
        )
      }
    }
  }

  restore(rule: Rule, runner: RuleRunner, now: number): void {
    const saved = this.#saved.get(rule.name)
    this.#saved.delete(rule.name)
    if (saved?.when === rule.condition.text) runner.restore(saved.alerts, saved.savedAt, now)
  }

  /** Of rules that there are no more. */
  forgetOthers(names: readonly string[]): void {
    for (const name of this.#saved.keys()) if (!names.includes(name)) this.forget(name)
  }

  forget(name: string): void {
    this.#dirty.delete(name)
    this.#pending.set(name, undefined)
    this.#write()
  }

  dirty(name: string): void {
    this.#dirty.add(name)
  }

  save(name: string, { rule, alerts }: RuleRunner): void {
    this.#dirty.delete(name)
    this.#pending.set(name, { when: rule.condition.text, savedAt: this.#deps.clock.wallTime(), alerts: structuredClone(fitting(alerts)) })
  }

  /** After each reading. */
  look(at: number, rules: ReadonlyMap<string, { readonly runner: RuleRunner }>): void {
    if (at - this.#lastAt >= everyMs) {
      this.#lastAt = at
      for (const [name, { runner }] of rules)
        if (runner.alerts.some(({ state }) => state !== undefined && state.phase !== 'resolved')) this.#dirty.add(name)
    }
    for (const name of this.#dirty) {
      const driven = rules.get(name)
      if (driven) this.save(name, driven.runner)
      else this.#dirty.delete(name)
    }
    this.#write()
  }

  /** Resolves when everything so far is in the store, or could not be written. */
  async flushed(): Promise<void> {
    do {
      this.#write()
      await this.#writing
    } while (!this.#failing && (this.#pending.size > 0 || this.#writing !== undefined))
  }

  #write(): void {
    if (this.#writing || this.#pending.size === 0) return
    const batch = [...this.#pending].slice(0, writesMax)
    for (const [name] of batch) this.#pending.delete(name)
    const writes = batch.map(([name, value]): Write =>
      value === undefined ? { delete: prefix + name } : { put: prefix + name, value: withoutHoles(value) },
    )
    this.#writing = this.#deps.store
      .commit({ writes })
      .then(
        () => {
          this.#failing = false
        },
        (cause: unknown) => {
          // What has been noted meanwhile is newer; the rest goes with the next look.
          for (const [name, value] of batch) if (!this.#pending.has(name)) this.#pending.set(name, value)
          this.#failing = true
          this.#deps.onError(
            new HoldfastError('rules_unsaved', `tried to write down the states of ${counted(batch.length, 'rule')}: ${messageOf(cause)}`, { cause }),
          )
        },
      )
      .finally(() => {
        this.#writing = undefined
      })
  }
}

/** As JSON has it. */
const withoutHoles = (value: Saved): unknown => JSON.parse(JSON.stringify(value)) as unknown

/** Of one rule; a value of the store holds no more. Those that fire are kept first. */
const charactersMax = 300_000

function fitting(alerts: readonly TrackedAlert[]): readonly TrackedAlert[] {
  let left = charactersMax
  const rank = ({ state, told }: TrackedAlert): number => (told === 'firing' || state?.phase === 'firing' ? 0 : state?.phase === 'pending' ? 1 : 2)
  return alerts
    .map((alert) => ({ alert, characters: JSON.stringify(alert).length }))
    .sort((a, b) => rank(a.alert) - rank(b.alert))
    .filter(({ characters }) => (left -= characters) >= 0)
    .map(({ alert }) => alert)
}

/** Damaged, it must not keep the process that supervises everything from starting. */
function isSaved(value: unknown): value is Saved {
  const { when, savedAt, alerts } = (value ?? {}) as Partial<Record<keyof Saved, unknown>>
  if (typeof when !== 'string' || typeof savedAt !== 'number' || !Array.isArray(alerts)) return false
  return alerts.every((alert: unknown) => {
    const { element, labels, states } = (alert ?? {}) as Partial<Record<keyof TrackedAlert, unknown>>
    return typeof element === 'object' && element !== null && typeof labels === 'object' && labels !== null && Array.isArray(states)
  })
}
