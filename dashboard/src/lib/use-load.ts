/** What a component asks the API for: once, again when what it depends on changes, and every so often if it should. An answer that is there stays while the next one is on its way. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Asking } from './asking.ts'
import { rejoined } from './live.ts'

export interface Loaded<T> {
  /** undefined: not there yet, or it failed. */
  readonly data: T | undefined
  /** With `data`: that is from before, and could not be asked for again. */
  readonly error: unknown
  /** When `data` came, by the clock of this browser. */
  readonly at: number | undefined
  readonly loading: boolean
  readonly reload: () => void
}

interface State<T> {
  readonly data?: T | undefined
  readonly error?: unknown
  readonly at?: number
  readonly loading: boolean
}

export function useLoad<T>(load: (signal: AbortSignal) => Promise<T>, on: readonly unknown[], everyMs?: number): Loaded<T> {
  const [state, setState] = useState<State<T>>({ loading: true })
  const latest = useRef(load)
  latest.current = load
  const asking = useMemo(() => new Asking({ now: () => performance.now(), later, ask: (signal) => ask(latest.current, signal, setState) }), [])
  const reload = useMemo(() => () => asking.look(), [asking])
  useEffect(() => {
    setState({ loading: true })
    asking.restart()
    // Nobody looks at a hidden page; what it has missed it asks for when it is looked at.
    const timer = everyMs === undefined ? undefined : setInterval(() => document.hidden || asking.tick(), everyMs)
    const shown = (): void => {
      if (!document.hidden && everyMs !== undefined) asking.tick()
    }
    document.addEventListener('visibilitychange', shown)
    // While the stream was broken nobody told of what has changed.
    let before = rejoined.peek()
    const stop = rejoined.subscribe((times) => {
      if (times !== before) reload()
      before = times
    })
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', shown)
      stop()
      asking.stop()
    }
  }, [...on, everyMs])
  return { data: state.data, error: state.error, at: state.at, loading: state.loading, reload }
}

/** For `Asking`. */
export function later(act: () => void, ms: number): () => void {
  const timer = setTimeout(act, ms)
  return () => {
    clearTimeout(timer)
  }
}

async function ask<T>(
  load: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  setState: (next: State<T> | ((before: State<T>) => State<T>)) => void,
): Promise<void> {
  setState((before) => ({ ...before, loading: true }))
  try {
    const data = await load(signal)
    if (!signal.aborted) setState({ data, at: Date.now(), loading: false })
  } catch (error) {
    if (!signal.aborted) setState((before) => ({ ...before, error, loading: false }))
  }
}
