/** A check in words, shapes and colours. */
import { bytes, count, milliseconds, percent } from '../../lib/format.ts'
import type { Tone } from '../../ui/icon.tsx'
import { Status } from '../../ui/status.tsx'

export type CheckStateName = 'unknown' | 'up' | 'suspect' | 'down' | 'recovering' | 'paused'

export interface Outcome {
  readonly at: string
  readonly outcome: 'pass' | 'fail' | 'inconclusive'
  readonly latencyMs: number
  readonly value: number | null
  readonly level: 'ok' | 'warning' | 'critical'
  readonly message: string
  /** How long the certificate that was served is still valid; null: none was. */
  readonly certificateDays: number | null
}

export interface Check {
  readonly name: string
  readonly kind: string
  readonly target: string
  readonly state: CheckStateName
  readonly level: 'ok' | 'warning' | 'critical'
  readonly severity: string
  readonly since: string
  readonly message: string | null
  readonly service: string | null
  readonly dependsOn: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly alertAfter: number
  readonly last: Outcome | null
  readonly unit: 'percent' | 'count' | 'ms' | 'bytes' | null
  readonly warnAt: string | number | null
  readonly criticalAt: string | number | null
  readonly failures: number
  readonly blips: number
  readonly uptime: number | null
  readonly nextAt: string | null
  readonly cause: string | null
}

export interface CheckDetail extends Check {
  /** Oldest first. */
  readonly outcomes: readonly Outcome[]
}

const tones: Readonly<Record<CheckStateName, Tone>> = {
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
