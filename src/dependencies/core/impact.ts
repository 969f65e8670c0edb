/** What goes down with something: everything that needs it, directly or through others. */
import type { NodeKind } from '../types.ts'
import type { DependencyGraph } from './graph.ts'

export interface Affected {
  readonly name: string
  readonly kind: NodeKind
  /** degraded: it can do without, or has another one. */
  readonly effect: 'down' | 'degraded'
  /** From it to what is down: `['shop', 'auth', 'database']`, a shortest one. */
  readonly path: readonly string[]
}

export interface Impact {
  readonly name: string
  readonly kind: NodeKind
  /** Nearest first. */
  readonly affected: readonly Affected[]
  /** Services that are down or degraded then, itself among them. */
  readonly services: number
  readonly servicesTotal: number
  /** `database down: affects auth, shop; 3 of 5 services`. */
  readonly summary: string
}

/** Names in the summary; more are counted. */
const namedMax = 8

/** undefined: there is no such node. */
export function impactOf(graph: DependencyGraph, name: string): Impact | undefined {
  const kind = graph.kindOf(name)
  if (kind === undefined) return undefined
  const paths = downWith(graph, name)
  const degraded = degradedWith(graph, paths)
  paths.delete(name)
  const affected = [...listed(graph, paths, 'down'), ...listed(graph, degraded, 'degraded')]
  const isService = (each: string): boolean => graph.kindOf(each) === 'service'
  const services = [name, ...affected.map((each) => each.name)].filter(isService).length
  const servicesTotal = graph.nodes.filter((node) => node.kind === 'service').length
  return { name, kind, affected, services, servicesTotal, summary: summaryOf(name, affected, services, servicesTotal) }
}

/** Breadth first, so that a path found is a shortest one. A need with several ways to be met counts when the last of them is gone. */
function downWith(graph: DependencyGraph, name: string): Map<string, readonly string[]> {
  const paths = new Map<string, readonly string[]>([[name, [name]]])
  const queue = [name]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    for (const { of, anyOf, hard } of graph.neededBy(next)) {
      if (!hard || paths.has(of) || !anyOf.every((each) => paths.has(each))) continue
      paths.set(of, [of, ...paths.get(next)!])
      queue.push(of)
    }
  }
  return paths
}

/** Who is one step away, and goes on. */
function degradedWith(graph: DependencyGraph, down: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const degraded = new Map<string, readonly string[]>()
  for (const [name, path] of down) {
    for (const { of } of graph.neededBy(name)) if (!down.has(of) && !degraded.has(of)) degraded.set(of, [of, ...path])
  }
  return degraded
}

function listed(graph: DependencyGraph, paths: ReadonlyMap<string, readonly string[]>, effect: Affected['effect']): readonly Affected[] {
  return [...paths].map(([name, path]) => ({ name, kind: graph.kindOf(name)!, effect, path }))
}

function summaryOf(name: string, affected: readonly Affected[], services: number, total: number): string {
  const count = services === 0 ? '' : `; ${services} of ${total} service${total === 1 ? '' : 's'}`
  if (affected.length === 0) return `${name} down: nothing else needs it${count}`
  const names = affected.slice(0, namedMax).map((each) => (each.effect === 'degraded' ? `${each.name} (degraded)` : each.name))
  const more = affected.length > namedMax ? ` and ${affected.length - namedMax} more` : ''
  return `${name} down: affects ${names.join(', ')}${more}${count}`
}
