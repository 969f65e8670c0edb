/**
 * What was invalidated when, in logical time: a counter that grows with each invalidation, the same for all who share it. A value carries the time at
 * which its making began (its mark) and is valid as long as none of its tags, nor everything, was invalidated after that. So invalidating a tag is one
 * number however many values carry it; what is being made at that moment is invalid from birth; and no two clocks are compared.
 *
 * The road not taken: a version for each tag, copied into each value. It needs the versions of all tags before the making begins, when they may not be
 * known yet, and a number for each tag of each value.
 */
import type { Held } from './held.ts'

/** Tags whose last invalidation is remembered. Beyond, the oldest is forgotten, and with it every value that is older and carries any tag. */
export const tagsMax = 100_000

export class Invalidations {
  readonly #max: number
  /** In the order of their invalidation. */
  readonly #last = new Map<string, number>()
  #mark = 0
  #all = 0
  #forgotten = 0
  #changes = 0

  constructor(max = tagsMax) {
    this.#max = max
  }

  /** What begins now carries this. */
  get mark(): number {
    return this.#mark
  }

  /** Of a tag; 0: never, or forgotten. */
  lastOf(tag: string): number {
    return this.#last.get(tag) ?? 0
  }

  /** It is that late elsewhere. */
  advance(to: number): void {
    if (to > this.#mark) this.#mark = to
  }

  /** Invalidates a tag: now, or when somebody else has said. Returns when. */
  tag(tag: string, at = this.#mark + 1): number {
    this.advance(at)
    if (at <= this.lastOf(tag)) return at
    this.#changes++
    this.#last.delete(tag)
    this.#last.set(tag, at)
    if (this.#last.size > this.#max) this.#forgetOldest()
    return at
  }

  /** Invalidates everything. */
  all(at = this.#mark + 1): number {
    this.advance(at)
    if (at > this.#all) {
      this.#all = at
      this.#changes++
      for (const [tag, when] of this.#last) if (when <= at) this.#last.delete(tag)
    }
    return at
  }

  #forgetOldest(): void {
    for (const [tag, at] of this.#last) {
      this.#last.delete(tag)
      this.#forgotten = Math.max(this.#forgotten, at)
      return
    }
  }

  /** Whether what was begun at `mark` with these tags is still valid. */
  spares(mark: number, tags: readonly string[]): boolean {
    if (mark < this.#all) return false
    if (tags.length === 0) return true
    if (mark < this.#forgotten) return false
    for (const tag of tags) if (this.lastOf(tag) > mark) return false
    return true
  }

  /** The same of a held value; while nothing is invalidated that is one comparison. */
  holds(held: Held): boolean {
    if (held.checkedAt === this.#changes) return true
    if (!this.spares(held.mark, held.tags)) return false
    held.checkedAt = this.#changes
    return true
  }
}
