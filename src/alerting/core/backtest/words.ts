/** A back-test in sentences. */
import { shownTime } from '../rules/words.ts'
import type { BacktestReport } from './backtest.ts'

const times = (n: number): string => (n === 1 ? 'once' : `${n} times`)

/** `would have fired 9 times, 2 h in all; 7 without impact; would have missed incident 12`. */
export function backtestSentence({ fired, firingMs, flapped, withoutImpact, windows, outside, failed, from, to }: BacktestReport): string {
  if (failed > 0) return `could not be evaluated ${times(failed)} in ${shownTime(to - from)}`
  const parts = [
    fired === 0
      ? `would not have fired in ${shownTime(to - from)}`
      : `would have fired ${times(fired)} in ${shownTime(to - from)}, ${shownTime(firingMs)} in all`,
  ]
  if (withoutImpact > 0) parts.push(`${withoutImpact} without impact`)
  if (flapped > 0) parts.push(`flapped ${times(flapped)}`)
  if (windows.length > 0) {
    const caught = windows.filter((one) => one.caught).length
    parts.push(`would have caught ${caught} of ${windows.length} known incidents`)
    const missed = windows.filter((one) => !one.caught && one.name !== undefined)
    if (missed.length > 0)
      parts.push(
        `missed ${missed
          .slice(0, 5)
          .map(({ name }) => name)
          .join(', ')}`,
      )
    if (outside !== undefined && outside > 0) parts.push(`${outside} outside of them`)
  }
  return parts.join('; ')
}
