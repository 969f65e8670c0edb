/** Alerts, silences and who is told of them, as the API shows them. */
import { z } from 'zod'
import type { AlertExplanation, AlertView, DeadLetter, SilenceView } from '../../app/alert-operations.ts'
import { written } from '../../alerting/core/matchers.ts'
import { sentenceOf } from '../../alerting/core/notification.ts'
import { isoTime } from './common.ts'

export const labelsSchema = z.record(z.string(), z.string())
const nullableTime = isoTime.nullable()

export const alertStatuses = ['active', 'acknowledged', 'suppressed', 'resolved'] as const

export const alertSchema = z
  .object({
    id: z.string().describe('The fingerprint of its labels.'),
    type: z.enum(['warning', 'critical', 'emergency']).describe('Its severity.'),
    title: z.string(),
    message: z.string(),
    service: z.string().nullable(),
    timestamp: isoTime.describe('Since when it fires.'),
    status: z.enum(alertStatuses),
    labels: labelsSchema,
    annotations: labelsSchema,
    startsAt: isoTime,
    endsAt: nullableTime.describe('null: it fires.'),
    receivers: z.array(z.string()),
    quiet: z
      .object({ by: z.enum(['inhibited', 'suppressed', 'maintenance', 'silenced']), ids: z.array(z.string()), reason: z.string() })
      .nullable()
      .describe('Why nobody is told; null: they are.'),
    acknowledged: z.object({ by: z.string(), comment: z.string(), at: isoTime, until: isoTime }).nullable(),
    url: z.string().nullable().describe('Where to look at what led to it.'),
  })
  .meta({ id: 'Alert' })

const iso = (at: number): string => new Date(at).toISOString()

export const statusOf = ({ isFiring, quiet, ack }: Pick<AlertView, 'isFiring' | 'quiet' | 'ack'>): (typeof alertStatuses)[number] =>
  !isFiring ? 'resolved' : quiet ? 'suppressed' : ack ? 'acknowledged' : 'active'

export function asAlert({ id, alert, severity, isFiring, quiet, ack, receivers }: AlertView): z.input<typeof alertSchema> {
  const { labels, annotations, startsAt, endsAt, generatorUrl } = alert
  return {
    id,
    type: severity,
    title: labels.alertname ?? 'alert',
    message: sentenceOf(alert),
    service: labels.service ?? null,
    timestamp: iso(startsAt),
    status: statusOf({ isFiring, quiet, ack }),
    labels,
    annotations,
    startsAt: iso(startsAt),
    endsAt: isFiring ? null : iso(endsAt),
    receivers: receivers.filter((name) => name !== ''),
    quiet: quiet ? { ...quiet, ids: [...quiet.ids] } : null,
    acknowledged: ack ? { by: ack.by, comment: ack.comment, at: iso(ack.at), until: iso(ack.until) } : null,
    url: generatorUrl ?? null,
  }
}

export const silenceSchema = z
  .object({
    id: z.string(),
    state: z.enum(['pending', 'active', 'expired']),
    matchers: z.array(z.string()),
    startsAt: isoTime,
    endsAt: isoTime,
    createdBy: z.string(),
    comment: z.string(),
    endOnResolve: z.boolean(),
    matched: z.number().describe('Alerts that it has kept quiet.'),
    updatedAt: isoTime,
  })
  .meta({ id: 'Silence' })

export function asSilence({
  id,
  state,
  matchers,
  startsAt,
  endsAt,
  createdBy,
  comment,
  endOnResolve,
  matched,
  updatedAt,
}: SilenceView): z.input<typeof silenceSchema> {
  return {
    id,
    state,
    matchers: matchers.map(written),
    startsAt: iso(startsAt),
    endsAt: iso(endsAt),
    createdBy,
    comment,
    endOnResolve,
    matched,
    updatedAt: iso(updatedAt),
  }
}

export const explanationSchema = z
  .object({
    alert: alertSchema,
    routes: z.array(
      z.object({
        route: z.string().describe('Its place in the tree of routes.'),
        receiver: z.string().nullable(),
        group: z.string(),
        groupAlerts: z.number(),
        escalation: z.array(z.object({ receiver: z.string(), afterMs: z.number(), at: nullableTime, done: z.boolean() })),
        lastTold: z.object({ at: isoTime, firing: z.boolean().describe('Whether it was told that this alert fires.') }).nullable(),
        mutedBy: z.string().nullable(),
        next: nullableTime.describe('null: as things stand nobody will be told.'),
        reason: z.string(),
      }),
    ),
  })
  .meta({ id: 'AlertExplanation' })

export function asExplanation({ view, routes }: AlertExplanation): z.input<typeof explanationSchema> {
  return {
    alert: asAlert(view),
    routes: routes.map(({ receiver, escalation, lastTold, mutedBy, next, ...rest }) => ({
      ...rest,
      receiver: receiver === '' ? null : receiver,
      escalation: escalation.map(({ at, ...step }) => ({ ...step, at: at === undefined ? null : iso(at) })),
      lastTold: lastTold ? { at: iso(lastTold.at), firing: lastTold.firing } : null,
      mutedBy: mutedBy ?? null,
      next: next === undefined ? null : iso(next),
    })),
  }
}

export const deadLetterSchema = z
  .object({
    id: z.string(),
    receiver: z.string(),
    integration: z.string(),
    group: z.string(),
    alerts: z.number(),
    error: z.string(),
    attempts: z.number(),
    at: isoTime,
  })
  .meta({ id: 'DeadLetter' })

export const asDeadLetter = ({ id, integration, notification, error, attempts, at }: DeadLetter): z.input<typeof deadLetterSchema> => ({
  id,
  receiver: notification.receiver,
  integration,
  group: notification.groupKey,
  alerts: notification.alerts.length,
  error,
  attempts,
  at: iso(at),
})
