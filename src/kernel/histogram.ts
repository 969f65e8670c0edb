/**
 * A histogram that merges exactly: every process uses the same log-linear buckets (16 to each power of
 * two), so adding two histograms loses nothing and a quantile is wrong by at most 1/16 of its value.
 * Idea: HdrHistogram (Gil Tene), with fixed precision so that an index is two machine instructions.
 */
import { assert } from './errors.ts'

const subBits = 4
const subCount = 1 << subBits
/** Values below 2^31 (36 minutes in microseconds); larger ones count as the largest. */
const exponentMax = 31
const valueMax = 2 ** exponentMax - 1
const bucketCount = (exponentMax - subBits + 1) * subCount

/** Sparse form for the wire: [bucket index, count] pairs. */
export interface HistogramData {
  readonly count: number
  readonly sum: number
  readonly buckets: readonly (readonly [number, number])[]
}

export const emptyHistogram: HistogramData = { count: 0, sum: 0, buckets: [] }

/** `value` as it is counted: whole, within bounds, and never NaN, which would spoil the sum for good. */
function counted(value: number): number {
  if (value >= valueMax) return valueMax
  return value > 0 ? value | 0 : 0
}

function bucketOf(value: number): number {
  if (value < subCount) return value
  const exponent = 31 - Math.clz32(value)
  return (exponent - subBits + 1) * subCount + ((value >>> (exponent - subBits)) & (subCount - 1))
}

/** The largest value that falls into the bucket. */
function upperBound(bucket: number): number {
  if (bucket < subCount) return bucket
  const exponent = Math.floor(bucket / subCount) + subBits - 1
  const width = 2 ** (exponent - subBits)
  return 2 ** exponent + ((bucket % subCount) + 1) * width - 1
}

export class Histogram {
  readonly #counts = new Float64Array(bucketCount)
  #count = 0
  #sum = 0

  get count(): number {
    return this.#count
  }

  /** Records a whole number of any unit, 0 or more; larger than 2^31 − 1 counts as that. */
  record(value: number): void {
    const whole = counted(value)
    const bucket = bucketOf(whole)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#count++
    this.#sum += whole
  }

  /** Adds all or, when a bucket does not exist, throws and adds nothing. */
  add(data: HistogramData): void {
    for (const [bucket] of data.buckets) {
      assert(Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount, `histogram bucket ${bucket} out of range`)
    }
    for (const [bucket, count] of data.buckets) {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    }
    this.#count += data.count
    this.#sum += data.sum
  }

  data(): HistogramData {
    const buckets: [number, number][] = []
    this.#counts.forEach((count, bucket) => {
      if (count > 0) buckets.push([bucket, count])
    })
    return { count: this.#count, sum: this.#sum, buckets }
  }

  reset(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#sum = 0
  }
}

/** The value below which the share `q` of all values lies, at most 1/16 too high; undefined when empty. */
export function quantile(data: HistogramData, q: number): number | undefined {
  if (data.count === 0) return undefined
  const rank = Math.max(1, Math.ceil(q * data.count))
  let seen = 0
  for (const [bucket, count] of data.buckets) {
    seen += count
    if (seen >= rank) return upperBound(bucket)
  }
  return undefined
}

/** What came between two readings of the same growing histogram. One that shrank was started anew: then all of the later reading. */
export function difference(later: HistogramData, earlier: HistogramData): HistogramData {
  if (later === earlier || (later.count === earlier.count && later.sum === earlier.sum)) return emptyHistogram
  const now = new Map(later.buckets)
  if (earlier.buckets.some(([bucket, count]) => count > (now.get(bucket) ?? 0))) return later
  const before = new Map(earlier.buckets)
  const buckets = later.buckets.map(([bucket, count]) => [bucket, count - (before.get(bucket) ?? 0)] as const).filter(([, count]) => count > 0)
  return { count: later.count - earlier.count, sum: later.sum - earlier.sum, buckets }
}

/** How many values are at most `limit` (rounded to the bucket that holds it): for cumulative `le` buckets. */
export function countAtMost(data: HistogramData, limit: number): number {
  let seen = 0
  for (const [bucket, count] of data.buckets) {
    if (upperBound(bucket) > limit) break
    seen += count
  }
  return seen
}
