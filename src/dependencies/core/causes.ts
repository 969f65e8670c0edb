/**
 * What is down because of what. Of all that is down, the causes are those that nothing else down explains; in a circle it is the one that went down first.
 *
 * One that is down explains another when that one needs it (all alternatives of the need being down) and did not fail more than a minute before it: checks
 * find out at different times, but nobody is broken by what breaks a minute later.
 */
import type { Evidence } from '../types.ts'
import type { DependencyGraph } from './graph.ts'
import { circlesOf } from './circles.ts'

/** How long before its cause something may be seen down. Source: handbook of alerting; the slowest check confirms within it. */
export const aheadMsMax = 60_000

/** By name: since when it is down, in milliseconds of any one clock. */
export type DownSince = ReadonlyMap<string, number>

export interface Explained {
  /** The name of the cause. */
  readonly cause: string
  /** `['shop', 'auth', 'database']`. */
  readonly path: readonly string[]
}

export interface RankedCause {
  readonly name: string
  /** 0 to 1, highest first. */
  readonly score: number
  /** Down because of it. */
  readonly explains: readonly string[]
  /** undefined: nothing checks it; it is suspected because all that need it are down. */
  readonly since: number | undefined
  readonly reason: string
}

/** Everything that is down because of something else that is. */
export function explainAll(graph: DependencyGraph, down: DownSince): ReadonlyMap<string, Explained> {
  const parents = new Map([...down.keys()].map((name) => [name, blamedBy(graph, down, name)]))
  const roots = rootsOf(parents, down)
  const explained = new Map<string, Explained>()
  for (const name of down.keys()) {
    const cause = nearestRoot(name, parents, roots, down)
    if (cause) explained.set(name, cause)
  }
  return explained
}

/** The likeliest first. */
export function rootCauses(graph: DependencyGraph, down: DownSince): readonly RankedCause[] {
  const explained = explainAll(graph, down)
  const causes = [...down.keys()].filter((name) => !explained.has(name)).map((name) => ranked(graph, down, name, explained))
  return [...causes, ...unchecked(graph, down)].sort(
    (a, b) => b.score - a.score || (a.since ?? Infinity) - (b.since ?? Infinity) || (a.name < b.name ? -1 : 1),
  )
}

/** What is down, is needed by it, and is not too late to be blamed. */
function blamedBy(graph: DependencyGraph, down: DownSince, name: string): readonly string[] {
  const since = down.get(name)!
  const blamed = new Set<string>()
  for (const { anyOf, hard } of graph.needsOf(name)) {
    if (hard && anyOf.every((each) => (down.get(each) ?? Infinity) <= since + aheadMsMax)) for (const each of anyOf) blamed.add(each)
  }
  return [...blamed]
}

type Parents = ReadonlyMap<string, readonly string[]>

/** One for each circle (most are of one node) out of which no blame leads: the first that went down. */
function rootsOf(parents: Parents, down: DownSince): ReadonlySet<string> {
  const roots = new Set<string>()
  for (const circle of circlesOf(parents)) {
    if (circle.some((name) => parents.get(name)!.some((parent) => !circle.includes(parent)))) continue
    roots.add(earliest(circle, down))
  }
  return roots
}

const earliest = (names: readonly string[], down: DownSince): string =>
  names.reduce((first, name) => (down.get(name)! < down.get(first)! || (down.get(name) === down.get(first) && name < first) ? name : first))

/** Of several roots at the same distance, the one that went down first. Not one that went down too late to have broken it. */
function nearestRoot(name: string, parents: Parents, roots: ReadonlySet<string>, down: DownSince): Explained | undefined {
  if (roots.has(name)) return undefined
  const latest = down.get(name)! + aheadMsMax
  const paths = new Map<string, readonly string[]>([[name, [name]]])
  for (let ring: readonly string[] = [name]; ring.length > 0;) {
    const next: string[] = []
    for (const each of ring) {
      for (const parent of parents.get(each)!) {
        if (paths.has(parent)) continue
        paths.set(parent, [...paths.get(each)!, parent])
        next.push(parent)
      }
    }
    const found = next.filter((each) => roots.has(each) && down.get(each)! <= latest)
    if (found.length > 0) {
      const cause = earliest(found, down)
      return { cause, path: paths.get(cause)! }
    }
    ring = next
  }
  return undefined
}

/**
 * How much of what is down it explains, how much of that came after it, and how well the needs between are known.
 */
function ranked(graph: DependencyGraph, down: DownSince, name: string, explained: ReadonlyMap<string, Explained>): RankedCause {
  const since = down.get(name)!
  const mine = [...explained].filter(([, { cause }]) => cause === name)
  const after = mine.filter(([each]) => down.get(each)! >= since).length
  const coverage = (mine.length + 1) / down.size
  const order = (after + 1) / (mine.length + 1)
  const trust = mine.reduce((sum, [, { path }]) => sum + trustIn(graph, path), 1) / (mine.length + 1)
  const score = round(coverage * (0.5 + 0.3 * order + 0.2 * trust))
  return {
    name,
    score,
    explains: mine.map(([each]) => each),
    since,
    reason: reasonOf(
      name,
      since,
      mine.map(([each]) => each),
      down,
    ),
  }
}

function reasonOf(name: string, since: number, explains: readonly string[], down: DownSince): string {
  if (explains.length === 0) return `${name} is down, and nothing that it needs is`
  const first = Math.min(...explains.map((each) => down.get(each)!))
  const lead = Math.round((first - since) / 1_000)
  const order =
    lead > 0
      ? `went down ${lead} s before the first of them`
      : lead < 0
        ? `was seen down ${-lead} s after the first of them`
        : 'went down with the first of them'
  return `${listOf(explains)} ${explains.length === 1 ? 'needs' : 'need'} ${name}, which ${order}`
}

/** Nodes of which nobody knows how they do, all of whose dependants are down, and at least two. */
function unchecked(graph: DependencyGraph, down: DownSince): readonly RankedCause[] {
  return graph.nodes.flatMap(({ name, kind }) => {
    if (kind !== 'address' || down.has(name)) return []
    const dependants = [
      ...new Set(
        graph
          .neededBy(name)
          .filter(({ hard, anyOf }) => hard && anyOf.length === 1)
          .map(({ of }) => of),
      ),
    ]
    if (dependants.length < 2 || !dependants.every((each) => down.has(each))) return []
    const score = round((dependants.length / (down.size + 1)) * 0.5)
    const reason = `nothing checks ${name}, and all that need it are down: ${listOf(dependants)}`
    return [{ name, score, explains: dependants, since: undefined, reason }]
  })
}

/** How well the needs along a path are known: the least of them. */
function trustIn(graph: DependencyGraph, path: readonly string[]): number {
  let least = 1
  for (let index = 0; index + 1 < path.length; index++) {
    const needs = graph.needsOf(path[index]!).filter(({ anyOf }) => anyOf.includes(path[index + 1]!))
    least = Math.min(least, Math.max(0, ...needs.flatMap(({ evidence }) => evidence.map(trustOf))))
  }
  return least
}

function trustOf(evidence: Evidence): number {
  switch (evidence.kind) {
    case 'configured':
    case 'dependsOn':
      return 1
    case 'calls':
    case 'connections':
      return 0.9
    case 'environment':
      return 0.7
  }
}

const namedMax = 6
const listOf = (names: readonly string[]): string =>
  names.length > namedMax ? `${names.slice(0, namedMax).join(', ')} and ${names.length - namedMax} more` : names.join(', ')
const round = (value: number): number => Math.round(Math.min(1, value) * 1_000) / 1_000
