/**
 * Changes that were acknowledged lately. A Redis that takes over from another may not have heard of the last of them: so they are held against it when it
 * is back (`confirmScript`), and those that were lost are made again.
 */
export interface Noted {
  readonly kind: 'keys' | 'tags' | 'all'
  readonly name: string
  readonly at: number
}

/** What is older than that has long been copied; beyond the number the oldest are forgotten. */
export const journalKeptMs = 60_000
export const journalMax = 10_000

export class Journal {
  /** In the order of their last change. */
  readonly #notes = new Map<string, Noted & { readonly notedAt: number }>()

  note(kind: Noted['kind'], names: readonly string[], at: number, now: number): void {
    for (const name of kind === 'all' ? [''] : names) {
      const id = `${kind} ${name}`
      this.#notes.delete(id)
      this.#notes.set(id, { kind, name, at, notedAt: now })
    }
    for (const [id, { notedAt }] of this.#notes) {
      if (this.#notes.size <= journalMax && now - notedAt < journalKeptMs) return
      this.#notes.delete(id)
    }
  }

  recent(now: number): readonly Noted[] {
    return [...this.#notes.values()].filter(({ notedAt }) => now - notedAt < journalKeptMs)
  }
}
