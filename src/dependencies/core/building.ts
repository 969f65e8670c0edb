/**
 * Puts the graph together out of everything that speaks for a need. What is configured for a service is the whole of its needs, beside `dependsOn`; for others
 * counts what is learned. An address in the environment is the weakest of it: it may be there for nothing.
 */
import type { Evidence, GraphNode, Need } from '../types.ts'
import type { AddressBook } from './addresses.ts'
import { addressesIn } from './environment.ts'
import { DependencyGraph } from './graph.ts'
import type { Learned } from './learning.ts'

/** As configured: one of `anyOf` is enough; `hard`: it cannot do without. */
export interface ConfiguredNeed {
  readonly anyOf: readonly string[]
  readonly hard: boolean
}

export interface ServiceFacts {
  readonly name: string
  readonly dependsOn: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** undefined: nothing is configured, and what is learned counts. */
  readonly needs: readonly ConfiguredNeed[] | undefined
}

export interface CheckFacts {
  readonly name: string
  readonly dependsOn: readonly string[]
  /** It tells of this service. */
  readonly service: string | undefined
  readonly needs: readonly ConfiguredNeed[] | undefined
}

export interface GraphFacts {
  readonly services: readonly ServiceFacts[]
  readonly checks: readonly CheckFacts[]
  readonly learned: readonly Learned[]
  readonly book: AddressBook
  /** Calls and connections of a service that were seen. */
  readonly seenOf: (service: string) => number
}

/** Addresses outside that become nodes. */
export const outsideMax = 500
/** Who was seen calling others so often, and never this one, does not need it, whatever its environment says. */
const seenEnough = 1_000

export function buildGraph(facts: GraphFacts): DependencyGraph {
  const needs = new Needs()
  const fixed = new Set<string>()
  for (const { name, needs: own } of [...facts.services, ...facts.checks]) {
    if (own === undefined) continue
    fixed.add(name)
    for (const { anyOf, hard } of own) needs.add({ of: name, anyOf, hard, evidence: [{ kind: 'configured' }] })
  }
  for (const { name, dependsOn } of facts.services) for (const to of dependsOn) needs.addOne(name, to, { kind: 'dependsOn' })
  for (const { name, dependsOn, service } of facts.checks) {
    for (const to of dependsOn) needs.addOne(name, to, { kind: 'configured' })
    if (service !== undefined) needs.addOne(name, service, { kind: 'configured' })
  }
  for (const { from, to, kind, ...seen } of facts.learned) if (!fixed.has(from)) needs.addOne(from, to, { kind, ...seen })
  const outside = addEnvironment(facts, needs, fixed)
  const nodes: GraphNode[] = [
    ...facts.services.map(({ name }) => ({ name, kind: 'service' as const })),
    ...facts.checks.map(({ name }) => ({ name, kind: 'check' as const })),
    ...outside.map((name) => ({ name, kind: 'address' as const })),
  ]
  return new DependencyGraph(nodes, needs.all())
}

/** Returns the addresses that are nodes because of it. */
function addEnvironment({ services, book, seenOf }: GraphFacts, needs: Needs, fixed: ReadonlySet<string>): readonly string[] {
  const outside = new Set<string>()
  for (const { name: of, env } of services) {
    if (fixed.has(of)) continue
    for (const { variable, name: to, outside: isOutside } of addressesIn(env, book)) {
      if (isOutside && !outside.has(to) && outside.size >= outsideMax) continue
      // The other way round is known better: this is where the service itself is reached.
      if (needs.has(to, of) || (!isOutside && !needs.has(of, to) && seenOf(of) >= seenEnough)) continue
      if (isOutside) outside.add(to)
      needs.addOne(of, to, { kind: 'environment', variable })
    }
  }
  return [...outside]
}

class Needs {
  readonly #needs = new Map<string, Need>()

  addOne(of: string, to: string, evidence: Evidence): void {
    this.add({ of, anyOf: [to], hard: true, evidence: [evidence] })
  }

  /** What is there already keeps whether it is hard: whoever configures says so first. */
  add(need: Need): void {
    const key = `${need.of}\n${[...need.anyOf].sort().join('\n')}`
    const known = this.#needs.get(key)
    this.#needs.set(key, known ? { ...known, evidence: [...known.evidence, ...need.evidence] } : need)
  }

  has(of: string, to: string): boolean {
    return this.#needs.has(`${of}\n${to}`)
  }

  all(): readonly Need[] {
    return [...this.#needs.values()]
  }
}
