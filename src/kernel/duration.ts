/** Lengths of time and sizes as messages show them: one number, one unit, no more digits than help. */

interface Unit {
  readonly name: string
  readonly size: number
}

const durationUnits: readonly Unit[] = [
  { name: 'd', size: 86_400_000 },
  { name: 'h', size: 3_600_000 },
  { name: 'min', size: 60_000 },
  { name: 's', size: 1_000 },
  { name: 'ms', size: 1 },
]

const byteUnits: readonly Unit[] = [
  { name: 'TiB', size: 2 ** 40 },
  { name: 'GiB', size: 2 ** 30 },
  { name: 'MiB', size: 2 ** 20 },
  { name: 'KiB', size: 2 ** 10 },
  { name: 'B', size: 1 },
]

/** `350 ms`, `1.2 s`, `3 min`, `2.5 h`, `4 d`. What is not finite is shown as it is. */
export function formatDuration(ms: number): string {
  return format(ms, durationUnits)
}

/** `512 B`, `1.5 KiB`, `10 MiB`. What is not finite is shown as it is. */
export function formatBytes(bytes: number): string {
  return format(bytes, byteUnits)
}

function format(value: number, units: readonly Unit[]): string {
  if (!Number.isFinite(value)) return String(value)
  // From large to small, the first unit in which the number, as it will be shown, is at least one whole;
  // so 59.96 s is a minute and not 60 s.
  for (const [i, { size, name }] of units.entries()) {
    const next = units[i + 1]
    const wholeInNext = next ? Math.round(Math.abs(value) / next.size) * next.size : Math.abs(value)
    if (!next || wholeInNext >= size) return `${rounded(value / size)} ${name}`
  }
  return String(value)
}

/** One decimal below ten, none above; no `.0`. */
function rounded(value: number): string {
  const text = Math.abs(value) < 9.95 ? value.toFixed(1) : value.toFixed(0)
  return text.replace(/\.0$/, '').replace(/^-0$/, '0')
}
