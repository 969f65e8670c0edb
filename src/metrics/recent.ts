/**
 * The last hour by the second, in memory: a block for each minute, the newest open, the others sealed to bytes. How many there are is counted, not their age:
 * a clock that jumps ahead and back takes nothing along.
 */
import { OpenBlock, SealedBlock, blockMs } from './core/block.ts'
import { hourMs } from './core/steps.ts'

/** An hour, and some minutes so that the whole hour is there still when it is over and is rolled up. */
export const blocksMax = hourMs / blockMs + 5

export class Recent {
  /** Oldest first. */
  #sealed: SealedBlock[] = []
  #open: OpenBlock | undefined
  /** For one column at a time. */
  #scratch = new Float64Array(256)

  /** Beginnings of the minutes that there are, rising. */
  get starts(): readonly number[] {
    const starts = this.#sealed.map(({ start }) => start)
    return this.#open ? [...starts, this.#open.start] : starts
  }

  get oldest(): number {
    return this.#sealed[0]?.start ?? this.#open?.start ?? Infinity
  }

  /** It has all from `at` on: nothing as old had to go yet. */
  has(at: number): boolean {
    return at >= this.oldest || this.#sealed.length < blocksMax
  }

  /** A new row at `at`, later than all. Returns the minute that ended with it. */
  begin(at: number): SealedBlock | undefined {
    const start = Math.floor(at / blockMs) * blockMs
    const ended = this.#turn(start)
    this.#open?.begin(at)
    return ended
  }

  /** Into the newest row. */
  set(series: number, value: number): void {
    this.#open?.set(series, value)
  }

  #turn(start: number): SealedBlock | undefined {
    if (this.#open?.start === start) return undefined
    const last = this.#sealed.at(-1)
    if (this.#open === undefined && last?.start === start) {
      this.#sealed.pop()
      this.#open = OpenBlock.reopened(last)
      return undefined
    }
    const ended = this.#open && new SealedBlock(this.#open.seal())
    if (ended) this.#sealed.push(ended)
    this.#open = new OpenBlock(start)
    this.#sealed.splice(0, Math.max(0, this.#sealed.length - blocksMax))
    return ended
  }

  /** Before anything was added: minutes of before, oldest first. */
  restore(blocks: readonly SealedBlock[]): void {
    this.#sealed = blocks.slice(-blocksMax)
  }

  /** The minute that goes on, as far as it is there. */
  sealOpen(): { readonly start: number; readonly bytes: Uint8Array } | undefined {
    return this.#open && { start: this.#open.start, bytes: this.#open.seal() }
  }

  /** Forgets that minute and all after it. */
  dropFrom(start: number): void {
    if (this.#open && this.#open.start >= start) this.#open = undefined
    this.#sealed = this.#sealed.filter((block) => block.start < start)
  }

  /** Series with samples in [from, to); those that were there for longest first. */
  seriesIn(from: number, to: number): number[] {
    const minutes = new Map<number, number>()
    for (const block of this.#open ? [...this.#sealed, this.#open] : this.#sealed) {
      if (block.start < from || block.start >= to) continue
      for (const series of block.series) minutes.set(series, (minutes.get(series) ?? 0) + 1)
    }
    return [...minutes].sort(([, a], [, b]) => b - a).map(([series]) => series)
  }

  /** The ended minutes, oldest first. */
  get sealed(): readonly SealedBlock[] {
    return this.#sealed
  }

  /** Samples of a series, in order of time. */
  each(series: number, from: number, to: number, each: (at: number, value: number) => void): void {
    for (const block of this.#sealed) this.#eachOf(block, series, from, to, each)
    if (this.#open) this.#eachOf(this.#open, series, from, to, each)
  }

  #eachOf(block: SealedBlock | OpenBlock, series: number, from: number, to: number, each: (at: number, value: number) => void): void {
    if (block.start + blockMs <= from || block.start >= to) return
    if (this.#scratch.length < block.times.length) this.#scratch = new Float64Array(block.times.length)
    const values = this.#scratch
    if (!block.read(series, values)) return
    for (let i = 0; i < block.length; i++) {
      const [at, value] = [block.times[i] ?? 0, values[i] ?? NaN]
      if (at >= from && at < to && !Number.isNaN(value)) each(at, value)
    }
  }
}
