/**
 * Places a graph in layers: who needs something stands left of what it needs. Circles are cut where they close; within a layer each stands near those that it is tied to, so
 * that few lines cross. Pure. The layering is by longest path, the order by some sweeps of the barycentre (Sugiyama et al. 1981).
 */
export interface Tie {
  readonly from: string
  readonly to: string
}

export interface Spot {
  readonly name: string
  readonly layer: number
  /** From the top of its layer. */
  readonly row: number
}

export interface Layers {
  readonly spots: readonly Spot[]
  /** Where a line that passes a layer goes through it, so that it runs behind nothing: by `from>to`. */
  readonly bends: ReadonlyMap<string, readonly Spot[]>
}

/** More do not make it better. */
const sweeps = 6

export function layered(names: readonly string[], ties: readonly Tie[]): Layers {
  const known = new Set(names)
  const real = acyclic(
    names,
    ties.filter(({ from, to }) => from !== to && known.has(from) && known.has(to)),
  )
  const layerOf = new Map(layersOf(names, real))
  const short: Tie[] = []
  const passing = new Map<string, string>()
  for (const { from, to } of real) {
    let last = from
    for (let layer = (layerOf.get(from) ?? 0) + 1; layer < (layerOf.get(to) ?? 0); layer++) {
      const bend = `${from}>${to}>${layer}`
      layerOf.set(bend, layer)
      passing.set(bend, `${from}>${to}`)
      short.push({ from: last, to: bend })
      last = bend
    }
    short.push({ from: last, to })
  }
  const spots = ordered([...names, ...passing.keys()], layerOf, short)
  const bends = new Map<string, Spot[]>()
  for (const spot of spots) {
    const tie = passing.get(spot.name)
    if (tie !== undefined) bends.set(tie, [...(bends.get(tie) ?? []), spot])
  }
  return { spots: spots.filter(({ name }) => !passing.has(name)), bends }
}

function ordered(names: readonly string[], layerOf: ReadonlyMap<string, number>, ties: readonly Tie[]): readonly Spot[] {
  const layers: string[][] = []
  for (const name of names) (layers[layerOf.get(name) ?? 0] ??= []).push(name)
  for (let layer = 0; layer < layers.length; layer++) layers[layer] ??= []
  const [to, from] = [neighbours(ties, 'from', 'to'), neighbours(ties, 'to', 'from')]
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const forward = sweep % 2 === 0
    for (let i = 0; i < layers.length; i++) reorder(layers, forward ? i : layers.length - 1 - i, forward ? from : to)
  }
  return layers.flatMap((layer, at) => layer.map((name, row) => ({ name, layer: at, row })))
}

/** Without the ties that close a circle. */
function acyclic(names: readonly string[], ties: readonly Tie[]): readonly Tie[] {
  const out = neighbours(ties, 'from', 'to')
  const state = new Map<string, 'open' | 'done'>()
  const cut = new Set<string>()
  const walk: { name: string; rest: string[] }[] = []
  const enter = (name: string): void => {
    state.set(name, 'open')
    walk.push({ name, rest: [...(out.get(name) ?? [])] })
  }
  for (const name of names) {
    if (state.has(name)) continue
    enter(name)
    for (let top = walk.at(-1); top; top = walk.at(-1)) {
      const next = top.rest.shift()
      if (next === undefined) {
        state.set(top.name, 'done')
        walk.pop()
      } else if (state.get(next) === 'open') cut.add(`${top.name}\n${next}`)
      else if (!state.has(next)) enter(next)
    }
  }
  return ties.filter(({ from, to }) => !cut.has(`${from}\n${to}`))
}

/** Each as far right as the longest way to it. */
function layersOf(names: readonly string[], ties: readonly Tie[]): ReadonlyMap<string, number> {
  const layer = new Map(names.map((name) => [name, 0]))
  const waiting = new Map(names.map((name) => [name, 0]))
  for (const { to } of ties) waiting.set(to, (waiting.get(to) ?? 0) + 1)
  const out = neighbours(ties, 'from', 'to')
  const free = names.filter((name) => waiting.get(name) === 0)
  for (let name = free.pop(); name !== undefined; name = free.pop()) {
    for (const next of out.get(name) ?? []) {
      layer.set(next, Math.max(layer.get(next) ?? 0, (layer.get(name) ?? 0) + 1))
      const left = (waiting.get(next) ?? 0) - 1
      waiting.set(next, left)
      if (left === 0) free.push(next)
    }
  }
  return layer
}

function neighbours(ties: readonly Tie[], key: 'from' | 'to', value: 'from' | 'to'): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>()
  for (const tie of ties) {
    const list = map.get(tie[key])
    if (list) list.push(tie[value])
    else map.set(tie[key], [tie[value]])
  }
  return map
}

function reorder(layers: string[][], at: number, tied: ReadonlyMap<string, readonly string[]>): void {
  const rows = new Map(layers.flatMap((layer) => layer.map((name, row) => [name, (row + 0.5) / layer.length] as const)))
  const wish = (name: string): number => {
    const others = tied.get(name) ?? []
    if (others.length === 0) return rows.get(name) ?? 0
    return others.reduce((sum, other) => sum + (rows.get(other) ?? 0), 0) / others.length
  }
  layers[at] = (layers[at] ?? []).toSorted((a, b) => wish(a) - wish(b))
}
