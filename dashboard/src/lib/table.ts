/** One collection of the live stream: a signal for each record, so that a change of one field redraws one row, and one for which records there are. */
import { signal, type Signal } from '@preact/signals'

/** Of records that have gone so many signals are kept, for rows that are still drawn; the oldest go. */
const goneMax = 500

export class Table<T extends object> {
  /** Those that went last stand last. */
  readonly #gone = new Set<string>()
  readonly #records = new Map<string, Signal<T | undefined>>()
  /** Of those that are there, in the order in which they came. */
  readonly ids = signal<readonly string[]>([])

  /** Also of one that is not there (yet). */
  record(id: string): Signal<T | undefined> {
    let found = this.#records.get(id)
    if (!found) {
      found = signal<T | undefined>(undefined)
      this.#records.set(id, found)
    }
    return found
  }

  get(id: string): T | undefined {
    return this.record(id).value
  }

  peek(id: string): T | undefined {
    return this.#records.get(id)?.peek()
  }

  /** Reading it means being told of every change of any of them. */
  all(): readonly T[] {
    return this.ids.value.flatMap((id) => this.get(id) ?? [])
  }

  /** Without being told of changes. */
  peekAll(): readonly T[] {
    return this.ids.peek().flatMap((id) => this.peek(id) ?? [])
  }

  /** Fields that are null are taken away. */
  apply(set: Readonly<Record<string, object>> = {}, gone: readonly string[] = []): void {
    let changed = false
    for (const [id, fields] of Object.entries(set)) {
      const record = this.record(id)
      const before = record.peek()
      const next: Record<string, unknown> = { ...before, ...fields }
      for (const [name, value] of Object.entries(fields)) if (value === null) Reflect.deleteProperty(next, name)
      record.value = next as T
      this.#gone.delete(id)
      changed ||= before === undefined
    }
    for (const id of gone) {
      const record = this.#records.get(id)
      if (record?.peek() === undefined) continue
      record.value = undefined
      this.#gone.add(id)
      changed = true
    }
    if (changed) this.#listAgain()
    this.#forgetGone()
  }

  clear(): void {
    this.apply({}, [...this.#records.keys()])
  }

  /** Signals that are held, also of what has gone. */
  get size(): number {
    return this.#records.size
  }

  #forgetGone(): void {
    for (const id of this.#gone) {
      if (this.#gone.size <= goneMax) return
      this.#gone.delete(id)
      this.#records.delete(id)
    }
  }

  #listAgain(): void {
    this.ids.value = [...this.#records].filter(([, record]) => record.peek() !== undefined).map(([id]) => id)
  }
}
