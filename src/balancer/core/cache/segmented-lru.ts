/**
 * Keeps what is used again, by bytes. What is new is on probation; what is asked for once more is protected, for up to four fifths of the room; what has
 * to go is the least recently used of those on probation. So one crawl over everything takes a fifth of the store, and not all of it.
 *
 *   new ──▶ probation ──asked for──▶ protected
 *             │   ▲                      │
 *             ▼   └──no room, the oldest─┘
 *            out
 */
export const protectedShare = 0.8

interface Slot<T> {
  value: T
  bytes: number
}

export class SegmentedLru<T> {
  #maxBytes: number
  /** Both from the least to the most recently used. */
  readonly #probation = new Map<string, Slot<T>>()
  readonly #protected = new Map<string, Slot<T>>()
  #probationBytes = 0
  #protectedBytes = 0
  #evicted = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#probationBytes + this.#protectedBytes
  }

  get maxBytes(): number {
    return this.#maxBytes
  }

  get size(): number {
    return this.#probation.size + this.#protected.size
  }

  /** Taken out for want of room. */
  get evicted(): number {
    return this.#evicted
  }

  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
    this.#demote()
    this.#shrink()
  }

  /** It is asked for. */
  get(key: string): T | undefined {
    const kept = this.#protected.get(key)
    if (kept !== undefined) {
      this.#protected.delete(key)
      this.#protected.set(key, kept)
      return kept.value
    }
    const slot = this.#probation.get(key)
    if (slot === undefined) return undefined
    this.#probation.delete(key)
    this.#probationBytes -= slot.bytes
    this.#protected.set(key, slot)
    this.#protectedBytes += slot.bytes
    this.#demote()
    return slot.value
  }

  /** Without being asked for. */
  peek(key: string): T | undefined {
    return (this.#protected.get(key) ?? this.#probation.get(key))?.value
  }

  /** What is larger than the room is not kept. */
  set(key: string, value: T, bytes: number): void {
    const wasProtected = this.#protected.has(key)
    this.delete(key)
    if (bytes > this.#maxBytes) return
    if (wasProtected) {
      this.#protected.set(key, { value, bytes })
      this.#protectedBytes += bytes
      this.#demote()
    } else {
      this.#probation.set(key, { value, bytes })
      this.#probationBytes += bytes
    }
    this.#shrink()
  }

  delete(key: string): boolean {
    const kept = this.#protected.get(key)
    if (kept !== undefined) {
      this.#protectedBytes -= kept.bytes
      return this.#protected.delete(key)
    }
    const slot = this.#probation.get(key)
    if (slot === undefined) return false
    this.#probationBytes -= slot.bytes
    return this.#probation.delete(key)
  }

  clear(): void {
    this.#probation.clear()
    this.#protected.clear()
    this.#probationBytes = 0
    this.#protectedBytes = 0
  }

  /** All, those that would go first at first. */
  *entries(): IterableIterator<readonly [key: string, value: T]> {
    for (const segment of [this.#probation, this.#protected]) for (const [key, { value }] of segment) yield [key, value]
  }

  #demote(): void {
    for (const [key, slot] of this.#protected) {
      // The one that was asked for last stays, were it all.
      if (this.#protectedBytes <= this.#maxBytes * protectedShare || this.#protected.size === 1) return
      this.#protected.delete(key)
      this.#protectedBytes -= slot.bytes
      this.#probation.set(key, slot)
      this.#probationBytes += slot.bytes
    }
  }

  #shrink(): void {
    for (const segment of [this.#probation, this.#protected]) {
      for (const key of segment.keys()) {
        if (this.bytes <= this.#maxBytes) return
        this.delete(key)
        this.#evicted++
      }
    }
  }
}
