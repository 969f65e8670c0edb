/** A CPU profile (DevTools protocol, `Profiler.Profile`) as one tree of where the time went: what called what, with all calls from the same place together. */

export interface FlameNode {
  /** `handler`, `(anonymous)`, `(garbage collector)`, `(idle)`. */
  readonly name: string
  /** `file:///srv/shop/server.js:12`; empty: of the engine. */
  readonly at: string
  /** Milliseconds in it, and in it and what it called. */
  readonly selfMs: number
  readonly totalMs: number
  /** Longest first. */
  readonly children: readonly FlameNode[]
}

export interface Flame {
  readonly root: FlameNode
  readonly samples: number
  /** Left out because they are too small to be seen, or too many. */
  readonly omitted: number
}

/** A node with less of the whole than this is not seen in any picture. */
const shareMin = 0.0005
/** Nodes of one picture, the largest first. */
export const flameNodesMax = 10_000
/** Deeper calls are left out. */
const depthMax = 512

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: CallFrame
  readonly children?: readonly number[]
}

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples?: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas?: readonly number[]
}

interface Sum {
  readonly name: string
  readonly at: string
  selfUs: number
  totalUs: number
  readonly children: Map<string, Sum>
}

export function flameOf({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Flame {
  const self = new Map<number, number>()
  // A delta is the time before its sample: what ran then is what the sample before it saw.
  samples.forEach((id, index) => self.set(id, (self.get(id) ?? 0) + Math.max(0, timeDeltas[index + 1] ?? 0)))
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const called = new Set(nodes.flatMap(({ children = [] }) => children))
  const root: Sum = { name: '(all)', at: '', selfUs: 0, totalUs: 0, children: new Map() }
  for (const node of nodes) if (!called.has(node.id)) addTree(root, node, byId, self)
  const [top] = root.children.values()
  const start = root.children.size === 1 && top !== undefined ? top : root
  total(start)
  return cut(start, samples.length)
}

/** `node` and what it called become part of `into`; a profile that is no tree (a node twice) is gone through once. */
function addTree(into: Sum, node: ProfileNode, byId: ReadonlyMap<number, ProfileNode>, self: ReadonlyMap<number, number>): void {
  const seen = new Set<number>()
  const waiting: { readonly into: Sum; readonly node: ProfileNode; readonly depth: number }[] = [{ into, node, depth: 0 }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (seen.has(next.node.id)) continue
    seen.add(next.node.id)
    const { functionName, url, lineNumber } = next.node.callFrame
    const name = functionName === '' ? '(anonymous)' : functionName
    const at = url === '' ? '' : `${url}:${lineNumber + 1}`
    // What is too deep counts for the last one that is shown.
    const sum = next.depth > depthMax ? next.into : childOf(next.into, name, at)
    sum.selfUs += self.get(next.node.id) ?? 0
    for (const id of next.node.children ?? []) {
      const child = byId.get(id)
      if (child) waiting.push({ into: sum, node: child, depth: next.depth + 1 })
    }
  }
}

function childOf(sum: Sum, name: string, at: string): Sum {
  const key = `${name}\n${at}`
  const child = sum.children.get(key) ?? { name, at, selfUs: 0, totalUs: 0, children: new Map<string, Sum>() }
  sum.children.set(key, child)
  return child
}

function total(sum: Sum): number {
  sum.totalUs = sum.selfUs
  for (const child of sum.children.values()) sum.totalUs += total(child)
  return sum.totalUs
}

function cut(root: Sum, samples: number): Flame {
  const all: Sum[] = []
  const gather = (sum: Sum): void => {
    all.push(sum)
    for (const child of sum.children.values()) gather(child)
  }
  gather(root)
  const kept = new Set(
    all
      .filter(({ totalUs }) => totalUs >= root.totalUs * shareMin)
      // Whoever called it has at least as much: with the largest are all that lead to them.
      .sort((a, b) => b.totalUs - a.totalUs)
      .slice(0, flameNodesMax),
  )
  kept.add(root)
  const shown = (sum: Sum): FlameNode => ({
    name: sum.name,
    at: sum.at,
    selfMs: toMs(sum.selfUs),
    totalMs: toMs(sum.totalUs),
    children: [...sum.children.values()]
      .filter((child) => kept.has(child))
      .sort((a, b) => b.totalUs - a.totalUs)
      .map(shown),
  })
  return { root: shown(root), samples, omitted: all.length - kept.size }
}

const toMs = (us: number): number => Math.round(us / 10) / 100
