/** Numbers and states as people read them in a narrow column. */
import type { EventLevel } from '../kernel/events.ts'
import type { InstancePhase, ServiceStatus } from '../registry/types.ts'
import type { Tone } from './style.ts'

export const nothing = '-'

/** The two largest units: `3d 4h`, `12m 5s`, `45s`. */
export function formatAge(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1_000))
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3_600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'm'],
    [total % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([count], i) => i === 0 || count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

/** `0.4 ms`, `12 ms`, `1.25 s`. */
export function formatMs(value: number | null | undefined): string {
  if (value === undefined || value === null) return nothing
  if (value < 9.95) return `${value.toFixed(1)} ms`
  if (value < 999.5) return `${Math.round(value)} ms`
  return `${(value / 1_000).toFixed(value < 9_995 ? 2 : 1)} s`
}

export function formatRate(perSecond: number): string {
  if (perSecond === 0) return '0'
  if (perSecond < 99.95) return perSecond.toFixed(1)
  return formatCount(perSecond)
}

/** `950`, `12.3k`, `4.5M`. */
export function formatCount(count: number): string {
  if (count < 9_999.5) return String(Math.round(count))
  if (count < 999_950) return `${(count / 1_000).toFixed(1)}k`
  return `${(count / 1_000_000).toFixed(1)}M`
}

/** A fraction as percent; never rounds something down to nothing. */
export function formatShare(fraction: number): string {
  const percent = fraction * 100
  if (percent === 0) return '0%'
  if (percent < 0.01) return '<0.01%'
  return `${percent < 9.995 ? percent.toFixed(2) : percent.toFixed(1)}%`
}

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `512 B`, `48 MiB`, `1.5 GiB`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1_023.5 && unit < byteUnits.length - 1) {
    value /= 1_024
    unit += 1
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value))} ${byteUnits[unit] ?? ''}`
}

/** Local time of day with milliseconds: what people compare with their watch. */
export function formatTimeOfDay(wallMs: number): string {
  const at = new Date(wallMs)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`
}

/** Local date and time: `2026-11-21 08:12:03`. */
export function formatDateTime(wallMs: number): string {
  const at = new Date(wallMs)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
}

/** `1 instance`, `3 instances`. */
export function plural(count: number, noun: string, several = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : several}`
}

export const toneOfHealth: Readonly<Record<ServiceStatus['health'] | 'pending', Tone>> = {
  healthy: 'green',
  degraded: 'yellow',
  unhealthy: 'red',
  starting: 'cyan',
  pending: 'cyan',
  maintenance: 'blue',
}

export const toneOfPhase: Readonly<Record<InstancePhase, Tone>> = {
  starting: 'cyan',
  ready: 'green',
  unhealthy: 'red',
  draining: 'blue',
  stopping: 'blue',
  backoff: 'yellow',
  crashLooping: 'red',
  done: 'dim',
}

export const toneOfLevel: Readonly<Record<EventLevel, Tone>> = { debug: 'dim', info: 'green', warning: 'yellow', error: 'red', critical: 'red' }
