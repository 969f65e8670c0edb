/** Series as the API shows them: a point is `[at, mean, min, max]`, so that a thousand of them stay small. */
import { z } from 'zod'
import { aggregates } from '../../metrics/core/combine.ts'
import { lineOfText, queryFlag, queryNumber, serviceName, sinceParameter } from './common.ts'

/** Characters of a metric's name, and of a label's name or value. */
const nameMax = 256

const duration = /^(\d{1,12})(ms|s|m|h|d)?$/
const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const stepParameter = z
  .string()
  .regex(duration, 'must be a duration such as 10s, 1m or 1h')
  .transform((text) => {
    const [, amount = '0', unit = 'ms'] = duration.exec(text) ?? []
    return Number(amount) * units[unit as keyof typeof units]
  })
  .pipe(
    z
      .number()
      .min(1_000)
      .max(366 * units.d),
  )
  .meta({ description: 'How much time one point stands for: `10s`, `1m`. Default: the finest with at most 1,000 points; a finer one is made that.' })

const labelName = /^[A-Za-z_][A-Za-z0-9_]*$/
const namesParameter = z
  .string()
  .max(nameMax)
  .transform((text) => (text === '' ? [] : text.split(',')))
  .pipe(z.array(z.string().regex(labelName, 'must be names of labels with commas between them')).max(16))
  .meta({ description: 'Names of labels with commas between them: one series for each combination of their values. Empty: one of all.' })

const ofLabel = (what: string): z.ZodOptional<z.ZodString> => lineOfText(nameMax).optional().describe(`Only of this ${what}.`)

export const metricsQuery = z.strictObject({
  metric: lineOfText(nameMax).describe('A name of `GET /metrics/catalogue`.'),
  service: serviceName.optional().describe('Only of this service.'),
  instance: ofLabel('instance'),
  endpoint: ofLabel('endpoint'),
  check: ofLabel('check'),
  from: sinceParameter.optional().describe('ISO 8601, milliseconds since 1970, or how long ago. Default: an hour ago.'),
  to: sinceParameter.optional().describe('The same; default: now.'),
  step: stepParameter.optional(),
  by: namesParameter.optional(),
  agg: z
    .enum(aggregates)
    .optional()
    .describe('How series are put together; default: of times the largest, of shares the mean, of days the smallest, else the sum.'),
  rate: queryFlag('How much it grows per second, of a counter.').optional(),
  limit: queryNumber(1, 200, 'Series at most; default 200.').optional(),
})

const numbers = z.tuple([z.number(), z.number(), z.number(), z.number()])

export const metricsAnswerSchema = z
  .object({
    metric: z.string(),
    unit: z.string().nullable().describe('null: not of ours.'),
    from: z.number().describe('Milliseconds since 1970.'),
    to: z.number(),
    step: z.number().describe('Milliseconds of one point: as asked for, or as finely as that time is kept.'),
    series: z.array(
      z.object({ labels: z.record(z.string(), z.string()), points: z.array(numbers).describe('Of each step: `[at, mean, min, max]`.') }),
    ),
    leftOff: z.number().int().describe('Series that found no place in the answer: narrow it, or put them together with `by`.'),
  })
  .meta({
    id: 'MetricsAnswer',
    examples: [
      {
        metric: 'p95',
        unit: 'ms',
        from: 1_800_000_000_000,
        to: 1_800_000_120_000,
        step: 60_000,
        series: [{ labels: { service: 'shop' }, points: [[1_800_000_000_000, 12.4, 9.9, 21.5]] }],
        leftOff: 0,
      },
    ],
  })

export const catalogueSchema = z.array(
  z
    .object({
      name: z.string(),
      unit: z.string(),
      subject: z.string().describe('What its series are told apart by: `service`, `instance` (with the labels service and instance), …'),
      help: z.string(),
      series: z.number().int().describe('How many of them there are now.'),
    })
    .meta({ id: 'Metric' }),
)

export const uptimeQuery = z.strictObject({
  days: queryNumber(1, 400, 'How many days, today (UTC) included; default 90.')
    .optional()
    .transform((days) => days ?? 90),
})

export const uptimeSchema = z.array(
  z.object({
    day: z.string().describe('UTC: `2026-11-21`.'),
    good: z.number().int().describe('Answers that are not 5xx, as the balancer counted them.'),
    bad: z.number().int().describe('Answers of 5xx. What clients left is in neither.'),
    unknownMs: z.number().describe('Time of which nothing is known.'),
    downMs: z.number().describe('Time in which nothing of it was ready.'),
  }),
)
