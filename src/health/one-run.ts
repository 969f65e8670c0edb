/** One run of a probe, cut off by its timeout: whatever the probe does, it ends then. */
import { after, elapsed, ms, type Clock } from '../kernel/time.ts'
import { isOurOwnFailure, wordsOf } from './probes/failures.ts'
import type { Probe, ProbeResult } from './types.ts'

export interface RunResult extends ProbeResult {
  readonly latencyMs: number
}

/** Longer texts are cut. */
const messageMax = 300

/** Calls `onEnd` exactly once, and `onSettled` when the probe itself is over, which may be never. */
export function runOnce(probe: Probe, timeoutMs: number, clock: Clock, onEnd: (result: RunResult) => void, onSettled: () => void): void {
  const began = clock.now()
  const abort = new AbortController()
  let ended = false
  let doing = ''
  const end = (result: ProbeResult): void => {
    if (ended) return
    ended = true
    timer[Symbol.dispose]()
    onEnd({ ...result, message: oneLine(result.message), latencyMs: elapsed(began, clock.now()) })
  }
  const timer = clock.schedule(after(began, ms(timeoutMs)), () => {
    end({ outcome: 'fail', message: `no answer within ${timeoutMs} ms${doing === '' ? '' : `: ${doing}`}` })
    abort.abort(new Error(`no answer within ${timeoutMs} ms`))
  })
  const failed = (error: unknown): void => {
    end(
      isOurOwnFailure(error)
        ? { outcome: 'inconclusive', message: `could not be made: ${wordsOf(error)}` }
        : { outcome: 'fail', message: wordsOf(error) },
    )
  }
  let running: Promise<ProbeResult>
  try {
    running = probe.run(abort.signal, (now) => (doing = now))
  } catch (error) {
    failed(error)
    onSettled()
    return
  }
  running.then(end, failed).finally(onSettled).catch(failed)
}

const oneLine = (text: string): string => {
  const line = text.replace(/\p{Cc}+/gu, ' ').trim()
  return line.length > messageMax ? `${line.slice(0, messageMax)}…` : line
}
