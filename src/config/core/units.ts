/** Durations, sizes, shares and rates as people write them, and back. Each `read` gives undefined for what it does not understand. */
import { ms, type Duration } from '../../kernel/time.ts'
import type { Rate } from '../types.ts'

const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type DurationUnit = keyof typeof durationUnits

/** `500ms`, `1.5s`, `10s`, `5m`, `1h`, `7d`; a bare number is milliseconds. */
export function readDuration(text: string): Duration | undefined {
  const [, number, unit = 'ms'] = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text) ?? []
  if (number === undefined) return undefined
  const length = Number(number) * durationUnits[unit as DurationUnit]
  const whole = Math.round(length)
  return Math.abs(length - whole) < 1e-6 && Number.isSafeInteger(whole) ? ms(whole) : undefined
}

export function writeDuration(duration: number): string {
  if (duration === 0) return '0s'
  const unit = (['d', 'h', 'm', 's'] as const).find((unit) => duration % durationUnits[unit] === 0) ?? 'ms'
  return `${duration / durationUnits[unit]}${unit}`
}

const sizeUnits = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3 } as const

/** `64KiB`, `10MiB`, `1.5GiB`; a bare number is bytes. */
export function readSize(text: string): number | undefined {
  const [, number, unit = 'B'] = /^(\d{1,15}(?:\.\d{1,6})?)(B|KiB|MiB|GiB)?$/.exec(text) ?? []
  if (number === undefined) return undefined
  const bytes = Number(number) * sizeUnits[unit as keyof typeof sizeUnits]
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

export function writeSize(bytes: number): string | number {
  const unit = (['GiB', 'MiB', 'KiB'] as const).find((unit) => bytes > 0 && bytes % sizeUnits[unit] === 0)
  return unit === undefined ? bytes : `${bytes / sizeUnits[unit]}${unit}`
}

/** `20%` → 0.2. Without the sign it could mean either, so it is not understood. */
export function readPercent(text: string): number | undefined {
  const [, number] = /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(text) ?? []
  return number === undefined || Number(number) > 100 ? undefined : Number(number) / 100
}

export function writePercent(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`
}

/** `100/s`, `600/m`, `10000/h`, `5/10s`. */
export function readRate(text: string): Rate | undefined {
  const [, count, per] = /^(\d{1,9})\/((?:\d{1,6})?(?:ms|s|m|h|d))$/.exec(text) ?? []
  if (count === undefined || per === undefined || Number(count) === 0) return undefined
  const window = readDuration(/^\d/.test(per) ? per : `1${per}`)
  return window === undefined || window === 0 ? undefined : { count: Number(count), per: window }
}

export function writeRate({ count, per }: Rate): string {
  return `${count}/${writeDuration(per).replace(/^1(?=[a-z])/, '')}`
}
