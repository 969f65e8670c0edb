/** Groups of nodes each of which can be reached from each other: Tarjan's strongly connected components. A node in no circle is a group of its own. */
export function circlesOf(edges: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const circles: string[][] = []

  const enter = (name: string): Step => {
    order.set(name, order.size)
    lowest.set(name, order.get(name)!)
    open.push(name)
    isOpen.add(name)
    return { name, next: 0 }
  }
  const lower = (name: string, to: number): void => void lowest.set(name, Math.min(lowest.get(name)!, to))
  const leave = (name: string): void => {
    if (lowest.get(name) !== order.get(name)) return
    const circle = open.splice(open.lastIndexOf(name))
    for (const each of circle) isOpen.delete(each)
    circles.push(circle)
  }

  for (const start of edges.keys()) {
    if (order.has(start)) continue
    // A stack of our own: a chain of thousands of needs must not overflow the engine's.
    const stack = [enter(start)]
    for (let step = stack.at(-1); step !== undefined; step = stack.at(-1)) {
      const to = edges.get(step.name)?.[step.next++]
      if (to === undefined) {
        stack.pop()
        leave(step.name)
        const before = stack.at(-1)
        if (before) lower(before.name, lowest.get(step.name)!)
      } else if (!order.has(to)) {
        if (edges.has(to)) stack.push(enter(to))
      } else if (isOpen.has(to)) lower(step.name, order.get(to)!)
    }
  }
  return circles
}

interface Step {
  readonly name: string
  /** The edge to be followed next. */
  next: number
}
