/** Notifications that never arrived: kept, bounded, to be looked at and sent again. */
import type { Book } from './book.ts'
import type { Notification } from './core/notification.ts'

export interface DeadLetter {
  readonly id: string
  readonly integration: string
  readonly notification: Notification
  readonly error: string
  readonly attempts: number
  readonly at: number
}

export const deadLetterLimits = {
  /** The oldest go first. */
  lettersMax: 500,
  /** Of the alerts of each; a letter must fit into the store. */
  alertsMax: 200,
} as const

export class DeadLetters {
  readonly #book: Book
  readonly #letters = new Map<string, DeadLetter>()

  constructor(book: Book) {
    this.#book = book
  }

  async load(): Promise<void> {
    const letters = await this.#book.load<DeadLetter>('dead')
    for (const letter of letters.toSorted((a, b) => a.at - b.at)) this.#letters.set(letter.id, letter)
  }

  add(letter: DeadLetter): void {
    const { alertsMax, lettersMax } = deadLetterLimits
    const kept = { ...letter, notification: { ...letter.notification, alerts: letter.notification.alerts.slice(0, alertsMax) } }
    this.#letters.set(kept.id, kept)
    this.#book.note('dead', kept.id, kept)
    for (const id of this.#letters.keys()) {
      if (this.#letters.size <= lettersMax) return
      this.remove(id)
    }
  }

  remove(id: string): void {
    if (this.#letters.delete(id)) this.#book.note('dead', id, undefined)
  }

  get(id: string): DeadLetter | undefined {
    return this.#letters.get(id)
  }

  /** Newest first. */
  all(): readonly DeadLetter[] {
    return [...this.#letters.values()].toReversed()
  }
}
