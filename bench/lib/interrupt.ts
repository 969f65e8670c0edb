/**
 * Ctrl-C must not leave detached processes behind: the first one asks the run to end in order (its `finally` stops what
 * it started), a later one ends this process at once. npm and tsx pass on what the terminal has sent already, so
 * signals within a second of each other are one.
 */
const sameSignalMs = 1_000

export function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  let firstAt: number | undefined
  const interrupt = (signal: NodeJS.Signals): void => {
    if (firstAt !== undefined && performance.now() - firstAt > sameSignalMs) process.exit(130)
    if (firstAt !== undefined) return
    firstAt = performance.now()
    console.error(`${signal}: stopping what was started …`)
    controller.abort(new Error('interrupted'))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return controller.signal
}
