/** The newest `capacity` items, oldest first: a memory that never grows. */
import { assert } from './errors.ts'

export class Ring<T> {
  readonly capacity: number
  readonly #slots: T[] = []
  /** Where the oldest lies once all slots are taken. */
  #oldest = 0

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, `the capacity of a ring is a whole number above 0, not ${capacity}`)
    this.capacity = capacity
  }

  get length(): number {
    return this.#slots.length
  }

  /** Returns the item that had to go. */
  push(item: T): T | undefined {
    if (this.#slots.length < this.capacity) {
      this.#slots.push(item)
      return undefined
    }
    const gone = this.#slots[this.#oldest]
    this.#slots[this.#oldest] = item
    this.#oldest = (this.#oldest + 1) % this.capacity
    return gone
  }

  /** A copy, oldest first. */
  toArray(): T[] {
    return [...this.#slots.slice(this.#oldest), ...this.#slots.slice(0, this.#oldest)]
  }

  /** The oldest item. */
  first(): T | undefined {
    return this.#slots[this.#oldest]
  }

  /** The newest item. */
  last(): T | undefined {
    return this.#slots[(this.#oldest + this.#slots.length - 1) % this.#slots.length]
  }

  clear(): void {
    this.#slots.length = 0
    this.#oldest = 0
  }
}
