/** How something went: series of the history, put on one axis of time, and kept up to date by asking for what is new only. */
import { signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { get } from './api.ts'
import { now } from './live.ts'

export interface LineQuery {
  readonly metric: string
  /** Labels that must be equal: `{ service: 'shop' }`. */
  readonly of?: Readonly<Record<string, string>>
  /** Put together: one line of all series. */
  readonly agg?: 'sum' | 'mean' | 'max'
  /** One line for each value of this label. */
  readonly by?: string
  /** What the legend says; of several lines the value of `by`. */
  readonly name: string
}

export interface Line {
  readonly name: string
  readonly values: readonly (number | null)[]
}

export interface SeriesData {
  /** Milliseconds since 1970. */
  readonly times: readonly number[]
  readonly lines: readonly Line[]
}

interface Answer {
  readonly step: number
  readonly series: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly points: readonly (readonly [number, number, number, number])[]
  }[]
}

const minute = 60_000
export const spans = {
  '15m': { ms: 15 * minute, step: '5s', everyMs: 5_000 },
  '1h': { ms: 60 * minute, step: '10s', everyMs: 10_000 },
  '6h': { ms: 360 * minute, step: '1m', everyMs: 20_000 },
  '24h': { ms: 1_440 * minute, step: '2m', everyMs: 60_000 },
  '7d': { ms: 10_080 * minute, step: '15m', everyMs: 120_000 },
} as const
export type Span = keyof typeof spans
export const spanNames = Object.keys(spans) as Span[]

const key = 'holdfast.span'
const kept = localStorage.getItem(key)
/** What all charts show. */
export const span = signal<Span>(spanNames.find((name) => name === kept) ?? '15m')
span.subscribe((value) => localStorage.setItem(key, value))

/** So many lines at most: more cannot be told apart. */
const linesMax = 6

export interface SeriesState {
  readonly data: SeriesData | undefined
  readonly error: unknown
}

export function useSeries(queries: readonly LineQuery[]): SeriesState {
  const [state, setState] = useState<SeriesState>({ data: undefined, error: undefined })
  const wanted = JSON.stringify(queries)
  const shown = span.value
  const store = useMemo(() => new Points(), [wanted, shown])
  useEffect(() => {
    const ended = new AbortController()
    const { ms, step, everyMs } = spans[shown]
    const look = async (): Promise<void> => {
      try {
        const until = now()
        const answers = await Promise.all(queries.map((query) => ask(query, store.lastAt === 0 ? until - ms : store.lastAt, step, ended.signal)))
        for (const [i, answer] of answers.entries()) store.add(queries[i]?.name ?? '', queries[i]?.by, answer)
        store.forgetBefore(until - ms)
        setState({ data: store.data(), error: undefined })
      } catch (error) {
        if (!ended.signal.aborted) setState((before) => ({ ...before, error }))
      }
    }
    void look()
    const timer = setInterval(() => {
      if (!document.hidden) void look()
    }, everyMs)
    return () => {
      clearInterval(timer)
      ended.abort()
    }
  }, [store])
  return state
}

const ask = ({ metric, of = {}, agg, by }: LineQuery, from: number, step: string, signal: AbortSignal): Promise<Answer> =>
  get<Answer>(
    '/metrics/query',
    { metric, ...of, from: Math.floor(from), step, agg, by: by ?? (agg === undefined ? undefined : ''), limit: 200 },
    { signal },
  )

class Points {
  /** By name: at → value. */
  readonly #lines = new Map<string, Map<number, number>>()
  /** The newest step: it is asked for again, as it may not have been over. */
  lastAt = 0

  add(name: string, by: string | undefined, { series }: Answer): void {
    for (const { labels, points } of by === undefined ? series.slice(0, 1) : series) {
      const line = this.#line(by === undefined ? name : (labels[by] ?? name))
      if (!line) return
      for (const [at, mean] of points) {
        line.set(at, mean)
        if (at > this.lastAt) this.lastAt = at
      }
    }
    if (by === undefined) this.#line(name)
  }

  #line(name: string): Map<number, number> | undefined {
    const found = this.#lines.get(name)
    if (found || this.#lines.size >= linesMax) return found
    const made = new Map<number, number>()
    this.#lines.set(name, made)
    return made
  }

  forgetBefore(time: number): void {
    for (const line of this.#lines.values()) for (const at of line.keys()) if (at < time) line.delete(at)
  }

  data(): SeriesData {
    const times = [...new Set([...this.#lines.values()].flatMap((line) => [...line.keys()]))].sort((a, b) => a - b)
    return { times, lines: [...this.#lines].map(([name, line]) => ({ name, values: times.map((at) => line.get(at) ?? null) })) }
  }
}
