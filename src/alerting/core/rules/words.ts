/** Values and sentences of alerts, for people. */
import type { Labels } from '../../../kernel/labels.ts'
import type { Dimension } from '../expression/units.ts'

const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `7.2 %`, `310 ms`, `412 MiB`, `3`. */
export function shownValue(value: number, dimension: Dimension): string {
  switch (dimension) {
    case 'ratio':
      return `${rounded(value * 100)} %`
    case 'percent':
      return `${rounded(value)} %`
    case 'ms':
      return Math.abs(value) >= 10_000 ? `${rounded(value / 1_000)} s` : `${rounded(value)} ms`
    case 'bytes':
    case 'bytes per second': {
      const step = value === 0 ? 0 : Math.min(sizes.length - 1, Math.max(0, Math.floor(Math.log2(Math.abs(value)) / 10)))
      return `${rounded(value / 1_024 ** step)} ${sizes[step] ?? 'B'}${dimension === 'bytes' ? '' : '/s'}`
    }
    case 'per second':
      return `${rounded(value)}/s`
    case 'days':
      return `${rounded(value)} days`
    default:
      return rounded(value)
  }
}

/** Three digits that say something. */
const rounded = (value: number): string => (Math.abs(value) >= 1_000 ? String(Math.round(value)) : String(Number(value.toPrecision(3))))

/** `of shop-3f2a9c`, `of shop`, ``: what the labels point at. */
export const ofWhom = ({ instance, check, service }: Labels): string => {
  const who = instance ?? check ?? service
  return who === undefined ? '' : ` of ${who}`
}

/** Fills in `{{value}}`, `{{service}}` and every other label by its name, also as `{{labels.NAME}}`; of one that is missing nothing is left. */
export function filledIn(template: string, labels: Labels, value: string): string {
  return template.replaceAll(/\{\{\s*([\w.$]+)\s*\}\}/g, (_, name: string) => {
    const plain = name.replace(/^\$?labels\./, '')
    return plain === 'value' || plain === '$value' ? value : (labels[plain] ?? '')
  })
}

/** `42 s`, `7 min`, `3 h`, `14 days`. */
export function shownTime(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} days`
}
