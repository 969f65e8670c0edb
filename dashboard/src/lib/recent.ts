/** The last minutes of what is drawn small: kept by the page itself from the live stream, so that a table of 200 instances asks the server for nothing. */
import type { EndpointStatus, InstanceStatus, ServiceStatus } from '../../../src/registry/types.ts'
import type { Table } from './table.ts'

/** Two minutes at one a second. */
export const recentPoints = 120

/** The newest last; a ring that never grows. */
export class Ring {
  readonly #values = new Float64Array(recentPoints).fill(NaN)
  #next = 0

  push(value: number): void {
    this.#values[this.#next] = value
    this.#next = (this.#next + 1) % recentPoints
  }

  /** `i` from the oldest, 0 to recentPoints - 1; NaN: nothing was there. */
  at(i: number): number {
    return this.#values[(this.#next + i) % recentPoints] ?? NaN
  }

  last(): number {
    return this.at(recentPoints - 1)
  }
}

/** From and to of what lies together: a line is drawn through each, and none across what is between them. */
export function stretches(ring: Ring): readonly (readonly [from: number, to: number])[] {
  const found: [number, number][] = []
  for (let i = 0; i < recentPoints; i++) {
    if (Number.isNaN(ring.at(i))) continue
    const last = found.at(-1)
    if (last?.[1] === i - 1) last[1] = i
    else found.push([i, i])
  }
  return found
}

interface Sources {
  readonly services: Table<Omit<ServiceStatus, 'instances' | 'endpoints'>>
  readonly instances: Table<InstanceStatus>
  readonly endpoints: Table<EndpointStatus>
}

/** Readings closer together than this are the same second. */
const secondMs = 700
/** Readings farther apart have a gap between them: the stream was broken, or the browser asleep. */
const gapMs = 3_000

export class Recent {
  readonly #sources: Sources
  readonly #rings = new Map<string, Ring>()
  readonly #counts = new Map<string, number>()
  #at = 0

  constructor(sources: Sources) {
    this.#sources = sources
  }

  /** `instance:cpu:shop-3f2a9c`, `endpoint:rate:shop/shop-3f2a9c`, `service:rate:shop`. */
  ring(key: string): Ring {
    let ring = this.#rings.get(key)
    if (!ring) {
      ring = new Ring()
      this.#rings.set(key, ring)
    }
    return ring
  }

  /** Rings that are held. */
  get size(): number {
    return this.#rings.size
  }

  /** False: too soon after the last one. */
  take(at: number): boolean {
    const passed = at - this.#at
    if (passed < secondMs) return false
    if (this.#at > 0 && passed > gapMs) this.#skip(Math.min(recentPoints, Math.round(passed / 1_000) - 1))
    this.#at = at
    const { services, instances, endpoints } = this.#sources
    for (const { name, traffic } of services.peekAll()) {
      this.#count(`service:rate:${name}`, traffic.requests, passed)
      this.#push(`service:active:${name}`, traffic.active)
    }
    for (const { id, resources } of instances.peekAll()) {
      this.#push(`instance:cpu:${id}`, resources?.cpuPercent)
      this.#push(`instance:memory:${id}`, resources?.memoryBytes)
    }
    for (const { id, service, traffic } of endpoints.peekAll()) this.#count(`endpoint:rate:${service}/${id}`, traffic.requests, passed)
    this.#forgetGone()
    return true
  }

  /** What was not seen is no line, and no rate. */
  #skip(seconds: number): void {
    this.#counts.clear()
    for (const ring of this.#rings.values()) for (let i = 0; i < seconds; i++) ring.push(NaN)
  }

  #push(key: string, value: number | undefined): void {
    this.ring(key).push(value ?? NaN)
  }

  /** Of a count that grows: so many a second. */
  #count(key: string, count: number, passed: number): void {
    const before = this.#counts.get(key)
    this.#counts.set(key, count)
    this.ring(key).push(before === undefined || count < before ? NaN : ((count - before) / passed) * 1_000)
  }

  /** Of instances that have gone nothing is kept; now and then is often enough. */
  #forgetGone(): void {
    const { services, instances, endpoints } = this.#sources
    const there = services.ids.peek().length * 2 + instances.ids.peek().length * 2 + endpoints.ids.peek().length
    if (this.#rings.size <= there * 2 + 50) return
    for (const key of this.#rings.keys()) {
      const [subject, , ...id] = key.split(':')
      const table = subject === 'service' ? services : subject === 'instance' ? instances : endpoints
      if (table.peek(id.join(':')) !== undefined) continue
      this.#rings.delete(key)
      this.#counts.delete(key)
    }
  }
}
