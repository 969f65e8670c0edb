/** How long somebody is waited for: until the time is over, or nobody wants it any more. */
export interface Patience extends Disposable {
  readonly signal: AbortSignal
}

/** `outer` may live as long as this process does: nothing of this one stays at it. */
export function patience(outer: AbortSignal, timeoutMs: number): Patience {
  const own = new AbortController()
  const timeout = AbortSignal.timeout(timeoutMs)
  const stop = (): void => {
    own.abort(outer.reason)
  }
  const late = (): void => {
    own.abort(new Error(`not done in ${timeoutMs} ms`))
  }
  if (outer.aborted) stop()
  outer.addEventListener('abort', stop, { once: true })
  timeout.addEventListener('abort', late, { once: true })
  return {
    signal: own.signal,
    [Symbol.dispose]() {
      outer.removeEventListener('abort', stop)
      timeout.removeEventListener('abort', late)
    },
  }
}
