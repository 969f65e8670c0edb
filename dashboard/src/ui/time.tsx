/** A moment in the reader's zone, in UTC when pointed at; or how long ago it was. */
import { second } from '../lib/live.ts'
import { duration, moment, none, utc } from '../lib/format.ts'

const millisecondsOf = (at: number | string | null | undefined): number | undefined =>
  at === null || at === undefined ? undefined : typeof at === 'number' ? at : Date.parse(at)

export function Time({ at }: { at: number | string | null | undefined }) {
  const time = millisecondsOf(at)
  if (time === undefined || Number.isNaN(time)) return <span class="muted">{none}</span>
  return (
    <time class="nowrap" dateTime={new Date(time).toISOString()} title={utc(time)}>
      {moment(time)}
    </time>
  )
}

/** `4 min 12 s`, growing with the clock of the server. */
export function Ago({ at }: { at: number | string | null | undefined }) {
  const time = millisecondsOf(at)
  const now = second.value === 0 ? Date.now() : second.value
  if (time === undefined || Number.isNaN(time)) return <span class="muted">{none}</span>
  return (
    <time class="nowrap" dateTime={new Date(time).toISOString()} title={utc(time)}>
      {duration(now - time)}
    </time>
  )
}
