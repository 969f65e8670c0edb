/**
 * The graph of what needs what, built whole and then only read. Circles are allowed: two services may need each other.
 *
 *   shop ──needs──▶ auth ──needs──▶ database          shop ──needs──▶ (cache-a │ cache-b)
 */
import type { GraphNode, Need, NodeKind } from '../types.ts'

/** Services, checks and addresses in all; what goes beyond is not taken in, and `truncated` says so. */
export const nodesMax = 4_000

export class DependencyGraph {
  readonly nodes: readonly GraphNode[]
  readonly needs: readonly Need[]
  readonly truncated: boolean
  readonly #kinds: ReadonlyMap<string, NodeKind>
  readonly #needsOf = new Map<string, Need[]>()
  readonly #neededBy = new Map<string, Need[]>()

  /** Needs of or for a node that is not there, and of a node for itself, are left out. */
  constructor(nodes: readonly GraphNode[], needs: readonly Need[]) {
    const kinds = new Map<string, NodeKind>()
    for (const { name, kind } of nodes) {
      if (kinds.size < nodesMax && !kinds.has(name)) kinds.set(name, kind)
    }
    this.#kinds = kinds
    this.truncated = nodes.some(({ name }) => !kinds.has(name))
    this.nodes = [...kinds].map(([name, kind]) => ({ name, kind }))
    this.needs = needs.flatMap((need) => this.#known(need))
    for (const need of this.needs) {
      push(this.#needsOf, need.of, need)
      for (const name of need.anyOf) push(this.#neededBy, name, need)
    }
  }

  has(name: string): boolean {
    return this.#kinds.has(name)
  }

  kindOf(name: string): NodeKind | undefined {
    return this.#kinds.get(name)
  }

  needsOf(name: string): readonly Need[] {
    return this.#needsOf.get(name) ?? []
  }

  /** Needs of others that name it. */
  neededBy(name: string): readonly Need[] {
    return this.#neededBy.get(name) ?? []
  }

  #known(need: Need): readonly Need[] {
    if (!this.has(need.of)) return []
    const anyOf = [...new Set(need.anyOf)].filter((name) => name !== need.of && this.has(name))
    // Who has a stand-in for something that is not known here can do without the rest.
    const lost = need.anyOf.length > 1 && anyOf.length < new Set(need.anyOf).size
    return anyOf.length === 0 ? [] : [{ ...need, anyOf, hard: need.hard && !lost }]
  }
}

function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}
