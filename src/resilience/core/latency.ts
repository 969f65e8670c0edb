/**
 * What latency is usual, without keeping the latencies: log-linear counters (8 to each power of two, 1/8 ms fine, so a quantile is at
 * most 1/8 too high), zeroed in turn. Two questions are asked of it: "the quantile of the last minute" (hedges, adaptive timeouts) and "the
 * p95 of a long calm time" (what a breaker calls slow). Recording allocates nothing.
 */
const subBits = 3
const subCount = 1 << subBits
const unitsPerMs = 8
const valueMax = 2 ** 30
const bucketCount = (30 - subBits + 1) * subCount + subCount

export function bucketOf(ms: number): number {
  const scaled = ms * unitsPerMs
  const value = scaled >= valueMax ? valueMax - 1 : scaled > 0 ? scaled | 0 : 0
  if (value < subCount) return value
  const exponent = 31 - Math.clz32(value)
  return (exponent - subBits + 1) * subCount + ((value >>> (exponent - subBits)) & (subCount - 1))
}

function upperBoundMs(bucket: number): number {
  if (bucket < subCount) return (bucket + 1) / unitsPerMs
  const exponent = Math.floor(bucket / subCount) + subBits - 1
  const width = 2 ** (exponent - subBits)
  return (2 ** exponent + ((bucket % subCount) + 1) * width) / unitsPerMs
}

/** The quantile over counters `slots × bucketCount`; undefined when fewer than `least` values are there. */
function quantileOf(counts: Int32Array, total: number, q: number, least: number): number | undefined {
  if (total < least || total === 0) return undefined
  const rank = Math.max(1, Math.ceil(q * total))
  let seen = 0
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    for (let at = bucket; at < counts.length; at += bucketCount) seen += counts[at] ?? 0
    if (seen >= rank) return upperBoundMs(bucket)
  }
  return undefined
}

/** Slots of a sliding latency window. */
const slots = 6

/** Latencies of the last `windowMs`, in six slots that are forgotten one by one. */
export class LatencyWindow {
  readonly #slotMs: number
  readonly #counts = new Int32Array(slots * bucketCount)
  readonly #totals = new Int32Array(slots)
  #slot = -1

  constructor(windowMs: number) {
    this.#slotMs = windowMs / slots
  }

  record(now: number, ms: number): void {
    this.#turn(now)
    const row = this.#slot % slots
    const at = row * bucketCount + bucketOf(ms)
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#totals[row] = (this.#totals[row] ?? 0) + 1
  }

  /** At most 1/8 too high; undefined below `least` values. */
  quantile(now: number, q: number, least = 1): number | undefined {
    this.#turn(now)
    let total = 0
    for (const n of this.#totals) total += n
    return quantileOf(this.#counts, total, q, least)
  }

  #turn(now: number): void {
    const slot = Math.max(0, Math.floor(now / this.#slotMs))
    if (slot <= this.#slot) return
    for (let gone = Math.max(this.#slot + 1, slot - slots + 1); gone <= slot; gone++) {
      const row = gone % slots
      this.#counts.fill(0, row * bucketCount, (row + 1) * bucketCount)
      this.#totals[row] = 0
    }
    this.#slot = slot
  }
}

/** A part of the long time is closed after this. */
const periodMs = 10_000
/** Below this many values a part says nothing. */
const periodCallsMin = 20

/** The p95 of calm times: each 10 s with 20 values or more give one p95, and those are averaged with a memory of `memoryMs`. */
export class LatencyBaseline {
  readonly #weightMin: number
  readonly #counts = new Int32Array(bucketCount)
  #total = 0
  #periods = 0
  /** [p95 in ms, end of the running period]: doubles in a typed array are written in place. */
  readonly #times = new Float64Array(2)

  constructor(memoryMs = 3_600_000) {
    this.#weightMin = periodMs / memoryMs
  }

  /** Milliseconds; 0 while nothing is known. */
  get p95(): number {
    return this.#times[0] ?? 0
  }

  set p95(ms: number) {
    this.#times[0] = ms
    this.#periods = ms > 0 ? Math.max(1, this.#periods) : 0
  }

  /** Whether a part is over: then `close` it before the next value. Small, and apart from `count`, so that no number crosses a call on the heap. */
  due(now: number): boolean {
    return now >= (this.#times[1] ?? 0)
  }

  /** Counts a latency by its `bucketOf`. */
  count(bucket: number): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total++
  }

  close(now: number): void {
    const p95 = quantileOf(this.#counts, this.#total, 0.95, periodCallsMin)
    if (p95 !== undefined) {
      this.#periods++
      this.#times[0] = this.p95 + (p95 - this.p95) * Math.max(this.#weightMin, 1 / this.#periods)
    }
    this.#counts.fill(0)
    this.#total = 0
    this.#times[1] = now + periodMs
  }
}
