/** Numbers and times as people read them. Everything keeps its width while it changes: digits are tabular, and decimals do not come and go. */

export const none = '–'

const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const twoDigits = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

const given = (value: number | null | undefined): value is number => typeof value === 'number' && Number.isFinite(value)
const three = (value: number): string => (Math.abs(value) >= 100 ? plain : Math.abs(value) >= 10 ? oneDigit : twoDigits).format(value)

export const count = (value: number | null | undefined): string =>
  given(value) ? (Math.abs(value) >= 100_000 ? compact : plain).format(value) : none
export const rate = (value: number | null | undefined): string =>
  given(value) ? (value === 0 ? '0' : value >= 10_000 ? compact.format(value) : three(value)) : none
/** A number that is no count: a load. */
export const decimal = (value: number | null | undefined): string => (given(value) ? three(value) : none)
/** Of a share, 0 to 1. */
export const share = (value: number | null | undefined): string => (given(value) ? percent(value * 100) : none)
export function percent(value: number | null | undefined): string {
  if (!given(value)) return none
  if (value === 0 || value === 100) return `${value} %`
  return `${value < 0.01 ? '< 0.01' : value < 1 ? twoDigits.format(value) : oneDigit.format(value)} %`
}

export function milliseconds(value: number | null | undefined): string {
  if (!given(value)) return none
  if (value === 0) return '0 ms'
  return value >= 10_000 ? `${oneDigit.format(value / 1_000)} s` : value >= 1_000 ? `${twoDigits.format(value / 1_000)} s` : `${three(value)} ms`
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
export function bytes(value: number | null | undefined): string {
  if (!given(value)) return none
  let size = value
  let unit = 0
  while (Math.abs(size) >= 1_024 && unit < binary.length - 1) {
    size /= 1_024
    unit++
  }
  return `${unit === 0 ? plain.format(size) : size >= 100 ? plain.format(size) : oneDigit.format(size)} ${binary[unit] ?? ''}`
}

/** `3 d 4 h`, `12 min`, `8 s`: the two largest units. */
export function duration(ms: number | null | undefined): string {
  if (!given(ms)) return none
  const s = Math.max(0, Math.floor(ms / 1_000))
  const parts = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor(s / 3_600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ] as const
  const first = parts.findIndex(([n]) => n > 0)
  if (first < 0) return '0 s'
  const shown = parts.slice(first, first + 2).filter(([n]) => n > 0)
  return shown.map(([n, unit]) => `${n} ${unit}`).join(' ')
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const day = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})
const year = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})

/** In the reader's zone: as little of the date as is needed. */
export function moment(time: number, now = Date.now()): string {
  const [then, today] = [new Date(time), new Date(now)]
  if (then.toDateString() === today.toDateString()) return clock.format(then)
  return (then.getFullYear() === today.getFullYear() ? day : year).format(then)
}

export const utc = (time: number): string =>
  `${new Date(time)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, '')} UTC`

export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`
