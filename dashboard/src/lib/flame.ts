/**
 * A profile as frames of a flame graph: who called whom, and how much each took. Callers stand above what they call; a frame is as wide as it and all below it took.
 * Pure: the view asks what is where.
 */
export interface FlameNode {
  readonly name: string
  /** File and line; undefined: not known, or of no file. */
  readonly where?: string | undefined
  /** With all that it called. */
  readonly total: number
  /** Without. */
  readonly self: number
  readonly children: readonly FlameNode[]
}

export interface Frame {
  readonly index: number
  /** -1: the root. */
  readonly parent: number
  readonly depth: number
  /** Where it begins, in the unit of the totals. */
  readonly start: number
  readonly total: number
  readonly self: number
  readonly name: string
  readonly where: string | undefined
}

/** Callers before what they call, the costliest first: the order in which frames are walked. Deep recursion is no matter: there is none here. */
export function flatten(root: FlameNode): readonly Frame[] {
  const frames: Frame[] = []
  const open: { readonly node: FlameNode; readonly parent: number; readonly depth: number; readonly start: number }[] = [
    { node: root, parent: -1, depth: 0, start: 0 },
  ]
  for (let next = open.pop(); next; next = open.pop()) {
    const { node, parent, depth, start } = next
    const index = frames.length
    frames.push({ index, parent, depth, start, total: node.total, self: node.self, name: node.name, where: node.where })
    let at = start
    const children = node.children
      .toSorted((a, b) => b.total - a.total)
      .map((child) => {
        const begin = at
        at += child.total
        return { node: child, parent: index, depth: depth + 1, start: begin }
      })
    open.push(...children.toReversed())
  }
  return frames
}

export interface Placed {
  readonly frame: Frame
  /** Pixels. */
  readonly x: number
  readonly width: number
}

/** What is seen when `focus` fills the width: it, what is below it, and its callers over the whole width. Narrower than `leastPx` is left out. */
export function place(frames: readonly Frame[], focus: number, widthPx: number, leastPx = 0.6): readonly Placed[] {
  const whole = frames[focus]
  if (!whole || whole.total <= 0) return []
  const scale = widthPx / whole.total
  return frames.flatMap((frame) => {
    const begin = Math.max(0, (frame.start - whole.start) * scale)
    const end = Math.min(widthPx, (frame.start + frame.total - whole.start) * scale)
    if (end - begin < leastPx) return []
    return [{ frame, x: begin, width: end - begin }]
  })
}

export type Step = 'up' | 'down' | 'left' | 'right'

/** From one frame to its caller, its costliest callee, or its neighbour beside it; the same where there is none. */
export function step(frames: readonly Frame[], from: number, to: Step): number {
  const here = frames[from]
  if (!here) return 0
  if (to === 'up') return Math.max(0, here.parent)
  if (to === 'down') return frames[from + 1]?.parent === from ? from + 1 : from
  const beside = frames.filter(({ depth }) => depth === here.depth)
  const at = beside.indexOf(here) + (to === 'right' ? 1 : -1)
  return beside[at]?.index ?? from
}

export interface Found {
  readonly frames: ReadonlySet<number>
  /** What all of them took together, of the whole; a frame below another that was found counts once. */
  readonly share: number
}

/** By part of the name or file, whatever the case. */
export function search(frames: readonly Frame[], text: string): Found {
  const wanted = text.trim().toLowerCase()
  const whole = frames[0]?.total ?? 0
  const found = new Set<number>()
  const covered = new Set<number>()
  let total = 0
  if (wanted === '') return { frames: found, share: 0 }
  for (const { index, parent, name, where, total: own } of frames) {
    const hit = name.toLowerCase().includes(wanted) || (where?.toLowerCase().includes(wanted) ?? false)
    if (hit) found.add(index)
    if (covered.has(parent)) covered.add(index)
    else if (hit) {
      covered.add(index)
      total += own
    }
  }
  return { frames: found, share: whole > 0 ? total / whole : 0 }
}

export interface Hot {
  readonly name: string
  readonly where: string | undefined
  readonly self: number
}

/** What took most by itself, over all its callers. */
export function hottest(frames: readonly Frame[], count: number): readonly Hot[] {
  const byName = new Map<string, { name: string; where: string | undefined; self: number }>()
  for (const { name, where, self, parent } of frames) {
    if (self <= 0 || parent < 0) continue
    const key = `${name}\n${where ?? ''}`
    const known = byName.get(key) ?? { name, where, self: 0 }
    known.self += self
    byName.set(key, known)
  }
  return [...byName.values()].toSorted((a, b) => b.self - a.self).slice(0, count)
}

export type Origin = 'own' | 'package' | 'runtime'

/** Whose code it is: that decides the colour. */
export function originOf({ name, where }: { readonly name: string; readonly where: string | undefined }): Origin {
  if (where === undefined || where === '' || where.startsWith('node:') || name.startsWith('(')) return 'runtime'
  return where.includes('node_modules/') ? 'package' : 'own'
}
