/** Incidents: outages with what led to them, what belongs to them, and what was said about them. */
import { z } from 'zod'
import { incidentLimits, incidentStatuses } from '../../alerting/core/incidents.ts'
import type { Incident } from '../../app/alert-operations.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { labelsSchema } from '../schemas/alerts.ts'
import { isoTime, limitParameter, lineOfText, pageOf } from '../schemas/common.ts'

const summary = {
  id: z.string(),
  title: z.string(),
  status: z.enum(incidentStatuses),
  impact: z.enum(['none', 'minor', 'major', 'critical']),
  openedAt: isoTime,
  resolvedAt: isoTime.nullable(),
  services: z.array(z.string()),
  cause: z.object({ event: z.string(), type: z.string(), at: isoTime, text: z.string() }).nullable().describe('What probably led to it.'),
  published: z.boolean().describe('Whether the status page shows it.'),
  alerts: z.array(
    z.object({ id: z.string(), labels: labelsSchema, severity: z.string(), summary: z.string(), startsAt: isoTime, endsAt: isoTime.nullable() }),
  ),
}
const incidentSchema = z.object(summary).meta({ id: 'Incident' })
const detailSchema = z
  .object({
    ...summary,
    timeline: z.array(
      z.object({ at: isoTime, kind: z.enum(['alert', 'event', 'ack', 'notification', 'update']), text: z.string(), event: z.string().nullable() }),
    ),
    updates: z.array(z.object({ at: isoTime, status: z.enum(incidentStatuses), text: z.string(), by: z.string() })),
  })
  .meta({ id: 'IncidentDetail' })

const iso = (at: number): string => new Date(at).toISOString()
const params = z.strictObject({ id: lineOfText(64) })

function asIncident({
  id,
  title,
  status,
  impact,
  openedAt,
  resolvedAt,
  services,
  cause,
  published,
  alerts,
}: Incident): z.input<typeof incidentSchema> {
  return {
    ...{ id, title, status, impact, published, services: [...services] },
    openedAt: iso(openedAt),
    resolvedAt: resolvedAt === undefined ? null : iso(resolvedAt),
    cause: cause ? { ...cause, at: iso(cause.at) } : null,
    alerts: alerts.map(({ fingerprint, labels, severity, summary, startsAt, endsAt }) => ({
      ...{ id: fingerprint, labels, severity, summary, startsAt: iso(startsAt) },
      endsAt: endsAt === undefined ? null : iso(endsAt),
    })),
  }
}

function asDetail(incident: Incident): z.input<typeof detailSchema> {
  const { timeline, updates } = incident
  return {
    ...asIncident(incident),
    timeline: timeline.toSorted((a, b) => a.at - b.at).map(({ at, kind, text, event }) => ({ at: iso(at), kind, text, event: event ?? null })),
    updates: updates.map(({ at, ...rest }) => ({ at: iso(at), ...rest })),
  }
}

export function incidentRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/incidents',
      tag: 'Alerts',
      summary: 'Outages, the newest first',
      permission: 'read:alerts',
      query: z.strictObject({ limit: limitParameter(100), after: lineOfText(64).optional().describe('The id of the last one of the page before.') }),
      data: z.array(incidentSchema),
      handler: ({ query }) => pageOf(operations.alerting.incidents(), query, ({ id }) => id).map(asIncident),
    }),
    route({
      method: 'GET',
      path: '/incidents/:id',
      tag: 'Alerts',
      summary: 'One outage with its timeline',
      permission: 'read:alerts',
      params,
      data: detailSchema,
      handler: ({ params: { id } }) => asDetail(operations.alerting.incident(id)),
    }),
    route({
      method: 'POST',
      path: '/incidents/:id/updates',
      tag: 'Alerts',
      summary: 'Say something about an outage',
      description: 'The public status page shows it, unless `published` is false, which takes the whole incident off that page.',
      permission: 'change:alerts',
      params,
      body: z.strictObject({
        text: z.string().trim().min(1).max(incidentLimits.textCharactersMax),
        status: z.enum(incidentStatuses).optional(),
        published: z.boolean().optional(),
      }),
      status: 201,
      data: detailSchema,
      handler: ({ params: { id }, body, actor }) => asDetail(operations.alerting.postIncident(id, body, { actor })),
    }),
  ]
}
