/** Pieces that many routes share: the envelope of errors, names, lists, times. */
import { z } from 'zod'
import { roles } from '../../access/index.ts'
import { wallTime, type WallTime } from '../../kernel/time.ts'
import { apiLimits } from '../deps.ts'

export const errorEnvelopeSchema = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.string().describe('A stable snake_case word.'),
      message: z.string(),
      hint: z.string().optional().describe('What to do about it.'),
      details: z.unknown().describe('Facts for programs; null when there are none. With `invalid_input`: `fields`, every offending one.'),
    }),
  })
  .meta({ id: 'Error' })

/** Text from outside that ends up in events and logs: no control characters, so that it cannot forge a line. */
export const lineOfText = (charactersMax: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(charactersMax)
    .regex(/^[^\p{Cc}\p{Cf}\u2028\u2029]*$/u, 'must be one line without control characters')

export const serviceName = lineOfText(100)
export const endpointId = lineOfText(apiLimits.pathParameterCharactersMax)
export const roleSchema = z.enum(roles)
export const isoTime = z.iso.datetime().describe('ISO 8601, UTC')

const wholeNumber = /^\d{1,15}$/

/** A whole number as it stands in a query. */
export const queryNumber = (min: number, max: number, description: string): z.ZodType<number, string> =>
  z
    .string()
    .regex(wholeNumber, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
    .meta({ type: 'integer', minimum: min, maximum: max, description, pattern: undefined })

export const queryFlag = (description: string): z.ZodType<boolean, string> =>
  z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .meta({ type: 'boolean', enum: undefined, description })

export const limitParameter = (fallback: number, max: number = apiLimits.listItemsMax): z.ZodType<number, string | undefined> =>
  queryNumber(1, max, `How many at most; default ${fallback}.`)
    .optional()
    .transform((value) => value ?? fallback)

export const listQuery = z.strictObject({
  limit: limitParameter(100),
  after: lineOfText(apiLimits.pathParameterCharactersMax).optional().describe('The last item of the page before: its name or id.'),
})

/** One page of a list whose items have a name. A cursor whose item has gone begins again at the start: rather twice than never. */
export function pageOf<T>(
  items: readonly T[],
  { limit, after }: { limit: number; after?: string | undefined },
  nameOf: (item: T) => string,
): readonly T[] {
  const start = after === undefined ? 0 : items.findIndex((item) => nameOf(item) === after) + 1
  return items.slice(start, start + limit)
}

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const durationPattern = /^(\d{1,12})(ms|s|m|h|d)?$/

function durationMs(text: string): number {
  const [, amount = '0', unit = 'ms'] = durationPattern.exec(text) ?? []
  return Number(amount) * units[unit as keyof typeof units]
}

/** `1h`, or a number of milliseconds. */
export const durationSchema = z
  .union([z.string().regex(durationPattern, 'must be a duration such as 90s, 1h or 7d'), z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)])
  .transform((value) => (typeof value === 'number' ? value : durationMs(value)))
  .meta({ description: '`500ms`, `10s`, `5m`, `1h`, `7d`; a bare number is milliseconds.' })

/** A moment: ISO 8601, milliseconds since 1970, or how long ago (`10m`). */
/** What `Date.parse` takes besides is guesswork: to it, -5 is a day in May 2001. */
const datePattern = /^\d{4}-\d{2}-\d{2}(?:[T ]|$)/

export const sinceParameter = z
  .string()
  .refine(
    (text) => wholeNumber.test(text) || durationPattern.test(text) || (datePattern.test(text) && !Number.isNaN(Date.parse(text))),
    'must be a time such as 2026-01-31T12:00:00Z, a number of milliseconds since 1970, or a duration such as 10m',
  )
  .meta({ description: 'ISO 8601, milliseconds since 1970, or how long ago: `10m`.' })

export function momentOf(since: string | undefined, now: WallTime): WallTime | undefined {
  if (since === undefined) return undefined
  if (wholeNumber.test(since)) return wallTime(Number(since))
  return wallTime(durationPattern.test(since) ? now - durationMs(since) : Date.parse(since))
}
