/**
 * What has been invalidated of kept responses, and when, in logical time (`cache/core/invalidations.ts`): for good, or so that they are stale. Names and
 * prefixes of keys; a response is judged by the time at which it was asked for.
 *
 *   valid ──soft──▶ stale ──hard──▶ gone
 */
import { Invalidations } from '../../../cache/core/invalidations.ts'
import { urlName, type Invalidation } from './purge.ts'

/** Prefixes that are remembered; beyond, the oldest is forgotten, and with it every response that is older. */
export const prefixesMax = 100

export interface Marked {
  /** The logical time at which it was asked for. */
  readonly mark: number
  readonly names: readonly string[]
}

export type Standing = 'valid' | 'stale' | 'gone'

class Generation {
  readonly #names: Invalidations
  #prefixes: { readonly prefix: string; readonly at: number }[] = []

  constructor(namesMax: number | undefined) {
    this.#names = new Invalidations(namesMax)
  }

  apply({ all, names, prefix }: Invalidation, at: number): void {
    if (all) this.#names.all(at)
    for (const name of names) this.#names.tag(name, at)
    if (prefix === undefined) return
    this.#prefixes = this.#prefixes.filter((each) => !each.prefix.startsWith(prefix))
    this.#prefixes.push({ prefix, at })
    const oldest = this.#prefixes.length > prefixesMax ? this.#prefixes.shift() : undefined
    if (oldest !== undefined) this.#names.all(oldest.at)
  }

  spares(key: string, { mark, names }: Marked): boolean {
    if (!this.#names.spares(mark, names) || this.#names.lastOf(urlName(key)) > mark) return false
    for (const { prefix, at } of this.#prefixes) if (at > mark && key.startsWith(prefix)) return false
    return true
  }
}

export class Marks {
  readonly #hard: Generation
  readonly #soft: Generation
  #mark = 0
  #changes = 0

  constructor(namesMax?: number) {
    this.#hard = new Generation(namesMax)
    this.#soft = new Generation(namesMax)
  }

  /** What is asked for now carries this. */
  get mark(): number {
    return this.#mark
  }

  /** Grows with each invalidation: what was valid at one number is so while it stays. */
  get changes(): number {
    return this.#changes
  }

  /** It is that late elsewhere. */
  advance(to: number): void {
    if (to > this.#mark) this.#mark = to
  }

  /** Now, or when somebody else has said. Returns when. */
  apply(invalidation: Invalidation, at = this.#mark + 1): number {
    this.advance(at)
    this.#changes++
    ;(invalidation.soft ? this.#soft : this.#hard).apply(invalidation, at)
    return at
  }

  standing(key: string, response: Marked): Standing {
    if (!this.#hard.spares(key, response)) return 'gone'
    return this.#soft.spares(key, response) ? 'valid' : 'stale'
  }
}
