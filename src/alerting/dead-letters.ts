/** Notifications that never arrived: kept, bounded, to be looked at and sent again. */
import type { Book } from './book.ts'
import { charactersOf, type Alert } from './core/alerts.ts'
import type { Notification } from './core/notification.ts'
import { isLetterRecord } from './records.ts'

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
  /** Of those alerts; at least one is kept. */
  charactersMax: 131_072,
} as const

export class DeadLetters {
  readonly #book: Book
  readonly #letters = new Map<string, DeadLetter>()

  constructor(book: Book) {
    this.#book = book
  }

  async load(): Promise<void> {
    const letters = await this.#book.load<DeadLetter>('dead', isLetterRecord)
    for (const letter of letters.toSorted((a, b) => a.at - b.at)) this.#letters.set(letter.id, letter)
  }

  add(letter: DeadLetter): void {
    const { lettersMax } = deadLetterLimits
    const kept = { ...letter, notification: { ...letter.notification, alerts: fitting(letter.notification.alerts) } }
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

function fitting(alerts: readonly Alert[]): readonly Alert[] {
  const { alertsMax, charactersMax } = deadLetterLimits
  let characters = 0
  const end = alerts.findIndex((alert, i) => {
    characters += charactersOf(alert)
    return i >= alertsMax || (i > 0 && characters > charactersMax)
  })
  return end === -1 ? alerts : alerts.slice(0, end)
}
