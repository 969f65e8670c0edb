/**
 * Times that come again and again: `MINUTE HOUR DAY-OF-MONTH MONTH DAY-OF-WEEK`, in UTC, as cron has them: lists, ranges, steps, names of months and days.
 * Where both kinds of days are restricted, either is enough. Source: crontab(5).
 */
import { HoldfastError } from '../../../kernel/errors.ts'

export interface Cron {
  readonly text: string
  /** It begins in the minute that begins at this wall time. */
  matches(at: number): boolean
}

const fields = [
  { name: 'minute', from: 0, to: 59, words: [] },
  { name: 'hour', from: 0, to: 23, words: [] },
  { name: 'day of the month', from: 1, to: 31, words: [] },
  { name: 'month', from: 1, to: 12, words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { name: 'day of the week', from: 0, to: 7, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const
type Field = (typeof fields)[number]

const shorthands: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
}

/** Throws `cron_invalid`. */
export function parseCron(text: string): Cron {
  const parts = (shorthands[text.trim()] ?? text).trim().split(/\s+/)
  if (parts.length !== 5) throw invalid(text, `expected five fields, found ${parts.length}`)
  const sets = fields.map((field, index) => new Set(values(parts[index] ?? '', field, text)))
  const has = (index: number, value: number): boolean => sets[index]?.has(value) === true
  const any = (index: number): boolean => parts[index]?.startsWith('*') === true
  return {
    text,
    matches(at) {
      const date = new Date(at)
      if (!has(0, date.getUTCMinutes()) || !has(1, date.getUTCHours()) || !has(3, date.getUTCMonth() + 1)) return false
      const byDay = has(2, date.getUTCDate())
      const byWeekday = has(4, date.getUTCDay()) || (date.getUTCDay() === 0 && has(4, 7))
      return any(2) || any(4) ? byDay && byWeekday : byDay || byWeekday
    },
  }
}

const invalid = (text: string, what: string): HoldfastError =>
  new HoldfastError('cron_invalid', `tried to read the times ${JSON.stringify(text)}: ${what}`, {
    hint: 'such as "30 2 * * sun": at 02:30 UTC on Sundays',
  })

function values(part: string, field: Field, text: string): number[] {
  return part.split(',').flatMap((one) => {
    const [, range = '', step = '1'] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(one) ?? []
    const [low, high = low] = range === '*' ? [String(field.from), String(field.to)] : range.split('-')
    const [from, to] = [number(low ?? '', field), number(high ?? '', field)]
    const every = Number(step)
    if (from === undefined || to === undefined || to < from || every < 1)
      throw invalid(text, `${JSON.stringify(one)} is no ${field.name} (${field.from} to ${field.to})`)
    // `5/10` begins at five, and goes on to the end.
    const end = one.includes('/') && !range.includes('-') ? field.to : to
    return Array.from({ length: Math.floor((end - from) / every) + 1 }, (_, i) => from + i * every)
  })
}

function number(text: string, { from, to, words }: Field): number | undefined {
  const word = (words as readonly string[]).indexOf(text.toLowerCase())
  const value = word >= 0 ? word + (from === 1 ? 1 : 0) : /^\d{1,2}$/.test(text) ? Number(text) : NaN
  return value >= from && value <= to ? value : undefined
}
