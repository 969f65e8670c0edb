/**
 * What hangs together: two nodes that need the same thing, or each other, directly or through others, may fail together without this machine being the reason. Needs that one
 * can do without do not count.
 */
import type { DependencyGraph } from './graph.ts'

/** By name, the name of its group; of those that have nothing to do with any other: none. */
export function relatedIn(graph: DependencyGraph): ReadonlyMap<string, string> {
  const groups = new Groups()
  for (const { of, anyOf, hard } of graph.needs) if (hard) for (const to of anyOf) groups.join(of, to)
  return new Map(groups.names().map((name) => [name, groups.of(name)]))
}

/** Things that are joined two by two. */
export class Groups {
  readonly #parents = new Map<string, string>()

  names(): readonly string[] {
    return [...this.#parents.keys()]
  }

  /** Each step on the way is halved for whoever asks next: a long chain is walked once. */
  of(name: string): string {
    let at = name
    for (let next = this.#parents.get(at); next !== undefined && next !== at; next = this.#parents.get(at)) {
      const further = this.#parents.get(next) ?? next
      this.#parents.set(at, further)
      at = further
    }
    return at
  }

  join(a: string, b: string): void {
    const [first, second] = [this.of(a), this.of(b)]
    this.#parents.set(first, first)
    this.#parents.set(second, first)
  }
}
