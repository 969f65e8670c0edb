/** A check in words, shapes and colours. */
import type { Check } from '../../../../src/api/types.ts'
import { bytes, count, milliseconds, percent } from '../../lib/format.ts'
import type { Tone } from '../../ui/icon.tsx'
import { Status } from '../../ui/status.tsx'

const tones: Readonly<Record<Check['state'], Tone>> = {
  up: 'ok',
  down: 'bad',
  suspect: 'warn',
  recovering: 'info',
  unknown: 'quiet',
  paused: 'quiet',
}

export function CheckState({ state, level, cause }: Pick<Check, 'state' | 'level' | 'cause'>) {
  const warns = state === 'up' && level !== 'ok'
  return (
    <Status tone={warns ? (level === 'critical' ? 'bad' : 'warn') : tones[state]} title={cause ?? undefined}>
      {warns ? `up, ${level}` : state}
    </Status>
  )
}

export const isBad = ({ state, level }: Pick<Check, 'state' | 'level'>): boolean =>
  state === 'down' || state === 'suspect' || (level !== 'ok' && state !== 'paused')

export function inUnit(value: number | null | undefined, unit: Check['unit']): string {
  if (unit === 'percent') return percent(value)
  if (unit === 'bytes') return bytes(value)
  return unit === 'ms' ? milliseconds(value) : count(value)
}
export const measured = ({ last, unit }: Pick<Check, 'last' | 'unit'>): string => inUnit(last?.value, unit)
