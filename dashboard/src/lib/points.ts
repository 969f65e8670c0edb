/**
 * The points of a chart: answers of the history put on one axis of time. Where nothing was measured there is a gap and no line; of more series than eyes can tell apart
 * those that are still measured and go highest are drawn, so that instances which have gone give way to those that came.
 */

export interface Answer {
  /** Milliseconds from one point to the next. */
  readonly step: number
  readonly series: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly points: readonly (readonly [at: number, mean: number, least: number, most: number])[]
  }[]
}

interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
}

export interface SeriesData {
  /** Milliseconds since 1970. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
  /** Lines that there are and that are not drawn. */
  readonly more: number
}

/** So many lines at most: more cannot be told apart. */
const linesDrawn = 6
/** So many are asked for and kept, to choose from. */
export const linesKept = 200
/** A point later than so many steps after the one before does not belong to it. */
const stepsApart = 2.5

export class Points {
  /** By name: at → value. */
  readonly #lines = new Map<string, Map<number, number>>()
  /** Lines that are always told of, also when they have no points. */
  readonly #named = new Set<string>()
  #step = 0
  /** The newest step: it is asked for again, as it may not have been over. */
  lastAt = 0

  add(name: string, by: string | undefined, { step, series }: Answer): void {
    this.#step = step
    for (const { labels, points } of by === undefined ? series.slice(0, 1) : series) {
      const line = this.#line(by === undefined ? name : (labels[by] ?? name))
      if (!line) break
      for (const [at, mean] of points) {
        line.set(at, mean)
        if (at > this.lastAt) this.lastAt = at
      }
    }
    if (by !== undefined) return
    this.#named.add(name)
    this.#line(name)
  }

  #line(name: string): Map<number, number> | undefined {
    const found = this.#lines.get(name)
    if (found || this.#lines.size >= linesKept) return found
    const made = new Map<number, number>()
    this.#lines.set(name, made)
    return made
  }

  forgetBefore(time: number): void {
    for (const [name, line] of this.#lines) {
      const had = line.size > 0
      for (const at of line.keys()) if (at < time) line.delete(at)
      if (had && line.size === 0 && !this.#named.has(name)) this.#lines.delete(name)
    }
  }

  data(): SeriesData {
    const drawn = this.#drawn()
    const times = this.#withGaps([...new Set(drawn.flatMap(([, line]) => [...line.keys()]))].sort((a, b) => a - b))
    return {
      times,
      lines: drawn.map(([name, line]) => ({ name, values: times.map((at) => line.get(at) ?? null) })),
      more: this.#lines.size - drawn.length,
    }
  }

  /** In the order in which they came. */
  #drawn(): readonly (readonly [string, Map<number, number>])[] {
    const all = [...this.#lines]
    if (all.length <= linesDrawn) return all
    const ranked = all
      .map(([name, line]) => ({
        name,
        lives: this.lastAt - Math.max(0, ...line.keys()) <= this.#step * stepsApart,
        most: Math.max(...line.values()),
      }))
      .sort((a, b) => Number(b.lives) - Number(a.lives) || b.most - a.most)
    const chosen = new Set(ranked.slice(0, linesDrawn).map(({ name }) => name))
    return all.filter(([name]) => chosen.has(name))
  }

  /** A time without values wherever points are too far from each other: no line goes across. */
  #withGaps(times: readonly number[]): readonly number[] {
    if (this.#step === 0) return times
    return times.flatMap((at, i) => {
      const next = times[i + 1]
      return next !== undefined && next - at > this.#step * stepsApart ? [at, at + this.#step] : [at]
    })
  }
}
