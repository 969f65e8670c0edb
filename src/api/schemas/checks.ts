/** Checks, as the API tells of them. */
import { z } from 'zod'
import type { CheckDetail, CheckStatus } from '../../app/health-operations.ts'
import { threshold } from '../../config/core/check-keys.ts'
import type { OutcomeRecord } from '../../health/types.ts'
import type { Immutable } from '../route.ts'
import { isoTime, lineOfText } from './common.ts'

export const checkName = lineOfText(100)

export const outcomeSchema = z.object({
  at: isoTime,
  outcome: z.enum(['pass', 'fail', 'inconclusive']).describe('`inconclusive`: it says nothing of what is checked, and counts for nothing.'),
  latencyMs: z.number(),
  value: z.number().nullable().describe('What it measured, in `unit`.'),
  level: z.enum(['ok', 'warning', 'critical']),
  message: z.string(),
  certificateDays: z.number().nullable().describe('How long the certificate that was served is still valid; null: none was.'),
})

const bound = z.union([z.string(), z.number()]).nullable()

export const checkSchema = z
  .object({
    name: z.string(),
    kind: z.string().describe('`tcp`, `http`, …; `custom`: a function of a program; `service`: the probes of a service.'),
    target: z.string(),
    state: z.enum(['unknown', 'up', 'suspect', 'down', 'recovering', 'paused']),
    level: z.enum(['ok', 'warning', 'critical']).describe('By the thresholds of what it measures.'),
    severity: z.string().describe('Of the alert when it is down.'),
    since: isoTime.describe('In this state since.'),
    message: z.string().nullable().describe('What the last run found.'),
    service: z.string().nullable(),
    dependsOn: z.array(z.string()),
    intervalMs: z.number(),
    timeoutMs: z.number(),
    alertAfter: z.number(),
    last: outcomeSchema.nullable(),
    unit: z.enum(['percent', 'count', 'ms', 'bytes']).nullable(),
    warnAt: bound,
    criticalAt: bound,
    failures: z.number().describe('In a row.'),
    blips: z.number().describe('Suspicions that came to nothing.'),
    uptime: z.number().nullable().describe('Share of the time in which it was up, of the time of which anything is known.'),
    nextAt: isoTime.nullable(),
    cause: z.string().nullable().describe('`probe broken` or `traffic`, where real traffic contradicts it.'),
  })
  .meta({ id: 'Check' })

export const checkDetailSchema = checkSchema
  .extend({ outcomes: z.array(outcomeSchema).describe('The last runs, oldest first.') })
  .meta({ id: 'CheckDetail' })

const iso = (at: number): string => new Date(at).toISOString()

const dayMs = 86_400_000

const outcomeOf = ({ at, value, certificateMs, ...rest }: OutcomeRecord): z.input<typeof outcomeSchema> => ({
  ...rest,
  at: iso(at),
  value: value ?? null,
  certificateDays: certificateMs === undefined ? null : Math.round((certificateMs / dayMs) * 100) / 100,
})

export function checkOf(check: CheckStatus): Immutable<z.input<typeof checkSchema>> {
  const { since, message, service, last, unit, warnAt, criticalAt, uptime, nextAt, cause } = check
  return {
    ...check,
    since: iso(since),
    message: message ?? null,
    service: service ?? null,
    last: last ? outcomeOf(last) : null,
    unit: unit ?? null,
    warnAt: warnAt ? (threshold.write(warnAt) as string | number) : null,
    criticalAt: criticalAt ? (threshold.write(criticalAt) as string | number) : null,
    uptime: uptime ?? null,
    nextAt: nextAt === undefined ? null : iso(nextAt),
    cause: cause ?? null,
  }
}

export const checkDetailOf = (check: CheckDetail): Immutable<z.input<typeof checkDetailSchema>> => ({
  ...checkOf(check),
  outcomes: check.outcomes.map(outcomeOf),
})
