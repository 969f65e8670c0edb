/** How something went: series of the history, put on one axis of time, and kept up to date by asking for what is new only. */
import { signal } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { get } from './api.ts'
import { Asking } from './asking.ts'
import { now } from './live.ts'
import { linesKept, Points, type Answer, type SeriesData } from './points.ts'
import { later } from './use-load.ts'

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
    const { ms, step, everyMs } = spans[shown]
    const look = async (signal: AbortSignal): Promise<void> => {
      try {
        const until = now()
        const answers = await Promise.all(queries.map((query) => ask(query, store.lastAt === 0 ? until - ms : store.lastAt, step, signal)))
        if (signal.aborted) return
        for (const [i, answer] of answers.entries()) store.add(queries[i]?.name ?? '', queries[i]?.by, answer)
        store.forgetBefore(until - ms)
        setState({ data: store.data(), error: undefined })
      } catch (error) {
        if (!signal.aborted) setState((before) => ({ ...before, error }))
      }
    }
    const asking = new Asking({ now: () => performance.now(), later, ask: look })
    asking.restart()
    const due = (): void => {
      if (!document.hidden) asking.tick()
    }
    const timer = setInterval(due, everyMs)
    document.addEventListener('visibilitychange', due)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', due)
      asking.stop()
    }
  }, [store])
  return state
}

const ask = ({ metric, of = {}, agg, by }: LineQuery, from: number, step: string, signal: AbortSignal): Promise<Answer> =>
  get<Answer>(
    '/metrics/query',
    { metric, ...of, from: Math.floor(from), step, agg, by: by ?? (agg === undefined ? undefined : ''), limit: linesKept },
    { signal },
  )
