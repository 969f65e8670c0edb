/** The states of rules in the store: read once, written when they change and every half minute while something fires. */
import { messageOf, HoldfastError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/time.ts'
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
  #saved = new Map<string, Saved>()
  readonly #dirty = new Set<string>()
  readonly #pending = new Map<string, Saved | undefined>()
  #writing: Promise<void> | undefined
  #lastAt = 0

  constructor(deps: RuleStatesDeps) {
    this.#deps = deps
  }

  async load(): Promise<void> {
    const entries = await this.#deps.store.list<Saved>(prefix)
    this.#saved = new Map(entries.map(({ key, value }) => [key.slice(prefix.length), value]))
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
    this.#pending.set(name, { when: rule.condition.text, savedAt: this.#deps.clock.wallTime(), alerts: structuredClone(alerts) })
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
    while (this.#pending.size > 0 || this.#writing) {
      this.#write()
      await this.#writing
    }
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
        () => undefined,
        (cause: unknown) => {
          this.#deps.onError(
            new HoldfastError('rules_unsaved', `tried to write down the states of ${batch.length} rules: ${messageOf(cause)}`, { cause }),
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
