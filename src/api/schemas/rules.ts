/** Rules and back-tests as the API shows them; times are milliseconds since 1970, as the points of series have them. */
import { z } from 'zod'
import { severities } from '../../alerting/types.ts'
import { lineOfText, sinceParameter } from './common.ts'

const labels = z.record(z.string(), z.string())
const length = z.number().describe('Milliseconds.')
const time = z.number().describe('Milliseconds since 1970.')

export const ruleSchema = z
  .object({
    name: z.string(),
    when: z.string().describe('The condition.'),
    clearWhen: z.string().nullable(),
    forMs: length,
    keepFiringForMs: length,
    intervalMs: length,
    severity: z.enum(severities),
    labels,
    owner: z.string().nullable(),
    runbook: z.string().nullable(),
    why: z.string().nullable().describe('Why it is there; of those that are shipped.'),
    shipped: z.boolean(),
    state: z.enum(['inactive', 'pending', 'firing', 'failing', 'off']),
    alerts: z.array(
      z.object({ labels, phase: z.enum(['pending', 'firing']), since: time, firedAt: time.nullable(), value: z.string(), flapping: z.boolean() }),
    ),
    lastAt: time.nullable().describe('Of the last evaluation.'),
    tookMs: length,
    evaluations: z.number().int(),
    missed: z.number().int().describe('Evaluations that came too late to be made.'),
    error: z.string().nullable().describe('Why the last evaluation failed.'),
  })
  .meta({ id: 'AlertRule' })

const condition = z.string().min(1).max(4_096)
/** Rows of one request: what fits into a body. */
const rowsMax = 100_000

export const backtestOrderSchema = z.strictObject({
  rule: lineOfText(63).describe('One of the configuration, or one that is shipped; with `when`, any name.'),
  when: condition.optional().describe('Another condition in its place.'),
  clearWhen: condition.optional(),
  forMs: length.min(0).max(604_800_000).optional(),
  keepFiringForMs: length.min(0).max(604_800_000).optional(),
  from: sinceParameter.optional().describe('ISO 8601, milliseconds since 1970, or how long ago. Default: seven days ago.'),
  to: sinceParameter.optional().describe('The same; default: now.'),
  rows: z
    .array(z.tuple([z.number(), z.number()]))
    .min(1)
    .max(rowsMax)
    .optional()
    .describe('`[at, value]` in place of the history: the one series that the rule speaks of.'),
  windows: z
    .array(z.object({ from: time, to: time, name: lineOfText(100).optional() }))
    .max(10_000)
    .optional()
    .describe('Times in which something was wrong.'),
})

export const backtestSchema = z
  .object({
    rule: z.string(),
    when: z.string(),
    sentence: z.string().describe('All of it in words.'),
    evaluations: z.number().int(),
    stepMs: length,
    from: time,
    to: time,
    fired: z.number().int(),
    firingMs: length,
    flapped: z.number().int(),
    withoutImpact: z.number().int().describe('Episodes around which the error budget of the service did not burn.'),
    outside: z.number().int().nullable().describe('Episodes outside of all windows; null: none were given.'),
    failed: z.number().int().describe('Evaluations that failed.'),
    error: z.string().nullable(),
    windows: z.array(z.object({ from: time, to: time, name: z.string().nullable(), caught: z.boolean() })),
    episodes: z
      .array(
        z.object({
          labels,
          from: time,
          to: time.nullable().describe('null: it fires at the end.'),
          flapped: z.boolean(),
          inWindow: z.boolean().nullable(),
          impact: z.boolean().nullable(),
        }),
      )
      .describe('The first 500.'),
  })
  .meta({ id: 'Backtest' })

export const coverageSchema = z
  .object({
    coverage: z.number().describe('Share of the cells that are covered.'),
    cells: z.array(
      z.object({
        fault: z.string(),
        what: z.string(),
        target: z.string().nullable().describe('Name of the service or check; null: the machine.'),
        severity: z.enum(severities).describe('Less is not enough.'),
        withinMs: length,
        fired: z.array(z.object({ rule: z.string(), severity: z.enum(severities), afterMs: length })),
        covered: z.boolean(),
        missing: z.array(z.string()).describe('Rules that are shipped, are not evaluated, and would tell of it.'),
      }),
    ),
  })
  .meta({ id: 'AlertCoverage' })

export const precisionQuery = z.strictObject({
  since: sinceParameter.optional().describe('ISO 8601, milliseconds since 1970, or how long ago. Default: seven days ago.'),
})

export const precisionSchema = z
  .object({
    from: time,
    to: time,
    pages: z.number().int().describe('Alerts that were told.'),
    precision: z
      .number()
      .nullable()
      .describe('Share of them that was true: the budget of the service, or of one that needs it, burned, or somebody took it on.'),
    rules: z.array(
      z.object({
        rule: z.string(),
        pages: z.number().int(),
        noise: z.number().int(),
        precision: z.number(),
        ackMs: length.nullable().describe('Median until somebody took it on.'),
        suggestion: z.object({ forMs: length, spares: z.number().int().describe('Alerts for nothing that would not have been told.') }).nullable(),
      }),
    ),
    noisiest: z.array(z.string()),
    missed: z.array(z.object({ service: z.string(), from: time, to: time, spent: z.number().describe('Share of the budget of thirty days.') })),
  })
  .meta({ id: 'AlertPrecision' })
