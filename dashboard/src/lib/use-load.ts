/** What a component asks the API for: once, again when what it depends on changes, and every so often if it should. An answer that is there stays while the next one is on its way. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Loaded<T> {
  /** undefined: not there yet, or it failed. */
  readonly data: T | undefined
  readonly error: unknown
  readonly loading: boolean
  readonly reload: () => void
}

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, on: readonly unknown[], everyMs?: number): Loaded<T> {
  const [state, setState] = useState<{ readonly data?: T | undefined; readonly error?: unknown; readonly loading: boolean }>({ loading: true })
  const latest = useRef(load)
  latest.current = load
  const running = useRef<AbortController | undefined>(undefined)
  const reload = useCallback(() => {
    running.current?.abort()
    const mine = (running.current = new AbortController())
    setState((before) => ({ ...before, loading: true }))
    latest.current(mine.signal).then(
      (data) => {
        if (!mine.signal.aborted) setState({ data, loading: false })
      },
      (error: unknown) => {
        if (!mine.signal.aborted) setState((before) => ({ ...before, error, loading: false }))
      },
    )
  }, [])
  useEffect(() => {
    setState({ loading: true })
    reload()
    // Nobody looks at a hidden page.
    const timer = everyMs === undefined ? undefined : setInterval(() => document.hidden || reload(), everyMs)
    return () => {
      clearInterval(timer)
      running.current?.abort()
    }
  }, [...on, everyMs])
  return { data: state.data, error: state.error, loading: state.loading, reload }
}
