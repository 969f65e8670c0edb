/**
 * Which silences match an alert, whether they hold now or not: the matchers of a silence never change, nor do the labels of an alert. Those with a plain `name=value` are
 * found by it (by the one that fewest others have); of the others each alert remembers which it was held against.
 */
import type { Labels } from '../../kernel/labels.ts'
import { labelOf, matches, plainsOf, type Matcher } from './matchers.ts'

interface Indexed {
  readonly id: string
  readonly matchers: readonly Matcher[]
}

/** Of the broad ones: how many it was held against, and those that match. */
interface Known {
  readonly epoch: number
  upTo: number
  readonly ids: string[]
}

export class SilenceIndex {
  readonly #plain = new Map<string, Map<string, Map<string, Indexed>>>()
  /** In the order in which they came. */
  #broad: Indexed[] = []
  #epoch = 0
  readonly #known = new WeakMap<Labels, Known>()

  add({ id, matchers }: Indexed): void {
    const [plain] = plainsOf(matchers).sort((a, b) => (this.#at(a)?.size ?? 0) - (this.#at(b)?.size ?? 0))
    if (plain === undefined) {
      this.#broad.push({ id, matchers })
      return
    }
    const byValue = this.#plain.get(plain.name) ?? new Map<string, Map<string, Indexed>>()
    this.#plain.set(plain.name, byValue)
    const same = byValue.get(plain.value) ?? new Map<string, Indexed>()
    byValue.set(plain.value, same.set(id, { id, matchers }))
  }

  #at({ name, value }: Matcher): Map<string, Indexed> | undefined {
    return this.#plain.get(name)?.get(value)
  }

  remove({ id, matchers }: Indexed): void {
    const plain = plainsOf(matchers).find((each) => this.#at(each)?.has(id))
    if (plain === undefined) {
      this.#broad = this.#broad.filter((each) => each.id !== id)
      this.#epoch++
      return
    }
    const byValue = this.#plain.get(plain.name)
    const same = byValue?.get(plain.value)
    same?.delete(id)
    if (same?.size === 0) byValue?.delete(plain.value)
    if (byValue?.size === 0) this.#plain.delete(plain.name)
  }

  matching(labels: Labels): readonly string[] {
    const found = [...this.#broadOf(labels)]
    for (const [name, byValue] of this.#plain) {
      for (const { id, matchers } of byValue.get(labelOf(labels, name))?.values() ?? []) if (matches(matchers, labels)) found.push(id)
    }
    return found
  }

  #broadOf(labels: Labels): readonly string[] {
    let known = this.#known.get(labels)
    if (known?.epoch !== this.#epoch) {
      known = { epoch: this.#epoch, upTo: 0, ids: [] }
      this.#known.set(labels, known)
    }
    for (const { id, matchers } of this.#broad.slice(known.upTo)) if (matches(matchers, labels)) known.ids.push(id)
    known.upTo = this.#broad.length
    return known.ids
  }
}
