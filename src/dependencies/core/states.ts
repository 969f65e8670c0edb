/** How the nodes of the graph do, and since when. Who has just come back is remembered for a while: what needs it takes a little longer. */

export type NodeState = 'up' | 'suspect' | 'down' | 'unknown'

/** What is known of a node at one moment. */
export interface NodeReading {
  readonly name: string
  readonly state: NodeState
  /** Between two checks of it. */
  readonly intervalMs: number
  /** When it was last looked at; wall time in milliseconds. */
  readonly checkedAt: number
  /** Why it is not up. */
  readonly reason?: string | undefined
}

export interface NodeStanding extends NodeReading {
  /** Of this state. */
  readonly since: number
  /** Since when it is not up, or was not when it last was so. */
  readonly failedAt: number | undefined
  /** undefined: it has not been down. */
  readonly recoveredAt: number | undefined
}

export class NodeStates {
  readonly #standings = new Map<string, NodeStanding>()
  #version = 0

  /** Rises with every change of state. */
  get version(): number {
    return this.#version
  }

  /** All there are: a node that is not among them is forgotten. */
  read(readings: readonly NodeReading[], now: number): void {
    const left = new Set(this.#standings.keys())
    for (const reading of readings) {
      left.delete(reading.name)
      this.#note(reading, now)
    }
    for (const name of left) {
      this.#standings.delete(name)
      this.#version++
    }
  }

  #note(reading: NodeReading, now: number): void {
    const before = this.#standings.get(reading.name)
    if (before?.state === reading.state) {
      this.#standings.set(reading.name, { ...before, ...reading })
      return
    }
    this.#version++
    const failing = reading.state === 'down' || reading.state === 'suspect'
    const wasFailing = before?.state === 'down' || before?.state === 'suspect'
    this.#standings.set(reading.name, {
      ...reading,
      since: now,
      failedAt: failing && !wasFailing ? now : before?.failedAt,
      recoveredAt: failing ? undefined : before?.state === 'down' ? now : before?.recoveredAt,
    })
  }

  get(name: string): NodeStanding | undefined {
    return this.#standings.get(name)
  }

  all(): readonly NodeStanding[] {
    return [...this.#standings.values()]
  }

  /** What is down now, and since when it fails. */
  down(): Map<string, number> {
    return new Map(this.all().flatMap(({ name, state, failedAt, since }) => (state === 'down' ? [[name, failedAt ?? since]] : [])))
  }
}
