/** Alerts: which there are, why somebody is told of them or not, acknowledging, silencing, and the receivers. */
import { z } from 'zod'
import { matches, parseMatcher, parseMatchers, type Matcher } from '../../alerting/core/matchers.ts'
import { sentenceOf } from '../../alerting/core/notification.ts'
import type { AlertView } from '../../app/alert-operations.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import {
  alertSchema,
  alertStatuses,
  asAlert,
  asDeadLetter,
  asExplanation,
  asSilence,
  deadLetterSchema,
  explanationSchema,
  labelsSchema,
  silenceSchema,
  statusOf,
} from '../schemas/alerts.ts'
import { durationSchema, isoTime, limitParameter, lineOfText, pageOf, queryFlag, serviceName } from '../schemas/common.ts'

const fingerprint = z.strictObject({ id: z.string().regex(/^[0-9a-f]{16}$/, 'must be the id of an alert: 16 hexadecimal digits') })
const idParams = z.strictObject({ id: lineOfText(64) })
const receiverParams = z.strictObject({ name: lineOfText(64) })
const ranks = { emergency: 0, critical: 1, warning: 2 } as const

/** The gravest first, then the newest. */
export const byGravity = (a: AlertView, b: AlertView): number =>
  ranks[a.severity] - ranks[b.severity] || b.alert.startsAt - a.alert.startsAt || (a.id < b.id ? -1 : 1)

const matcherText = lineOfText(2_200).describe('`service=shop`, `severity=~"critical|emergency"`, `team!=lab`')

interface Wanted {
  readonly service?: string | undefined
  readonly severity?: AlertView['severity'] | undefined
  readonly status?: (typeof alertStatuses)[number] | undefined
  readonly matchers?: string | undefined
  readonly text?: string | undefined
}

function filterOf({ service, severity, status, matchers: written = '', text = '' }: Wanted): (view: AlertView) => boolean {
  const matchers = parseMatchers(written)
  const words = text.toLowerCase().split(/\s+/)
  return (view) =>
    (service === undefined || view.alert.labels.service === service) &&
    (severity === undefined || view.severity === severity) &&
    (status === undefined || statusOf(view) === status) &&
    matches(matchers, view.alert.labels) &&
    (text === '' || isAbout(view, words))
}

function isAbout({ alert: { labels, ...rest } }: AlertView, words: readonly string[]): boolean {
  const labelled = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  const said = [sentenceOf({ labels, ...rest }), ...labelled].join('\n').toLowerCase()
  return words.every((word) => said.includes(word))
}

export function alertRoutes({ operations }: ApiDeps, clock: Clock): readonly Route[] {
  const alerts = () => operations.alerting
  return [
    route({
      method: 'GET',
      path: '/alerts',
      tag: 'Alerts',
      summary: 'What fires, the gravest first',
      permission: 'read:alerts',
      query: z.strictObject({
        all: queryFlag('Also what is over and not forgotten.').optional(),
        service: serviceName.optional(),
        severity: z.enum(['warning', 'critical', 'emergency']).optional(),
        status: z.enum(alertStatuses).optional().describe('`resolved` with `all`.'),
        matchers: matcherText
          .optional()
          .describe('Only those that a silence with these would keep quiet: `service=shop, severity=~"critical|emergency"`.'),
        text: lineOfText(200).optional().describe('Words; each must be in the title, the message or a label, written `name=value`.'),
        limit: limitParameter(1_000),
        after: lineOfText(64).optional().describe('The id of the last alert of the page before.'),
      }),
      data: z.array(alertSchema),
      handler: ({ query: { all = false, limit, after, ...wanted } }) => {
        const found = alerts().alerts({ all }).filter(filterOf(wanted))
        return pageOf(found.toSorted(byGravity), { limit, after }, ({ id }) => id).map(asAlert)
      },
    }),
    route({
      method: 'GET',
      path: '/alerts/receivers',
      tag: 'Alerts',
      summary: 'Who can be told',
      permission: 'read:alerts',
      data: z.array(z.object({ name: z.string(), ways: z.array(z.string()), sent: z.number(), failed: z.number() })),
      handler: () => alerts().receivers(),
    }),
    route({
      method: 'POST',
      path: '/alerts/receivers/:name/test',
      tag: 'Alerts',
      summary: 'Send a made-up alert to a receiver',
      description: 'Tried once: `409 send_failed` says what the receiver answered.',
      permission: 'change:alerts',
      params: receiverParams,
      data: z.object({ receiver: z.string(), ways: z.array(z.string()).describe('How it was sent.') }),
      handler: async ({ params: { name }, actor }) => ({ receiver: name, ways: await alerts().testReceiver(name, { actor }) }),
    }),
    route({
      method: 'GET',
      path: '/alerts/dead-letters',
      tag: 'Alerts',
      summary: 'Notifications that never arrived, newest first',
      permission: 'read:alerts',
      data: z.array(deadLetterSchema),
      handler: () => alerts().deadLetters().map(asDeadLetter),
    }),
    route({
      method: 'POST',
      path: '/alerts/dead-letters/:id/resend',
      tag: 'Alerts',
      summary: 'Send one of them again',
      permission: 'change:alerts',
      params: idParams,
      data: z.object({ id: z.string(), sent: z.literal(true) }),
      handler: async ({ params: { id }, actor }) => {
        await alerts().resend(id, { actor })
        return { id, sent: true } as const
      },
    }),
    route({
      method: 'POST',
      path: '/alerts/routes/test',
      tag: 'Alerts',
      summary: 'Who would be told of an alert with these labels',
      permission: 'read:alerts',
      audited: false,
      body: z.strictObject({ labels: labelsSchema }),
      data: z.array(z.object({ receiver: z.string().nullable().describe('null: nobody.'), route: z.string() })),
      handler: ({ body: { labels } }) =>
        alerts()
          .routesOf(labels)
          .map(({ receiver, route }) => ({ receiver: receiver === '' ? null : receiver, route })),
    }),
    route({
      method: 'GET',
      path: '/alerts/:id',
      tag: 'Alerts',
      summary: 'One alert',
      permission: 'read:alerts',
      params: fingerprint,
      data: alertSchema,
      handler: ({ params: { id } }) => asAlert(alerts().alert(id)),
    }),
    route({
      method: 'GET',
      path: '/alerts/:id/explain',
      tag: 'Alerts',
      summary: 'Who is told of it, when next, and why or why not',
      permission: 'read:alerts',
      params: fingerprint,
      data: explanationSchema,
      handler: ({ params: { id } }) => asExplanation(alerts().explainAlert(id)),
    }),
    route({
      method: 'POST',
      path: '/alerts/:id/ack',
      tag: 'Alerts',
      summary: 'Take it up: nobody else is told while this holds',
      description: 'After the time it counts as not taken up again, if it still fires. Default 30 minutes.',
      permission: 'change:alerts',
      params: fingerprint,
      body: z.strictObject({ comment: lineOfText(1_000).optional(), for: durationSchema.optional() }).optional(),
      data: z.object({ id: z.string(), by: z.string(), comment: z.string(), until: isoTime }),
      handler: ({ params: { id }, body, actor }) => {
        const { by, comment, until } = alerts().ack(id, { comment: body?.comment ?? '', forMs: body?.for, actor })
        return { id, by, comment, until: new Date(until).toISOString() }
      },
    }),
    ...silenceRoutes(alerts, clock),
  ]
}

function silenceRoutes(alerts: () => ApiDeps['operations']['alerting'], clock: Clock): readonly Route[] {
  const window = z.strictObject({
    id: lineOfText(64).optional().describe('Changes this one.'),
    matchers: z.union([z.array(matcherText).min(1).max(64), matcherText]).describe('All must hold.'),
    comment: lineOfText(2_048).describe('Why.'),
    for: durationSchema.optional().describe('How long from its beginning; this or `endsAt`.'),
    startsAt: isoTime.optional().describe('Default: now.'),
    endsAt: isoTime.optional(),
    endOnResolve: z.boolean().optional().describe('Over as soon as all that it kept quiet is resolved.'),
    force: z.boolean().optional().describe('It may last longer than 7 days.'),
  })
  return [
    route({
      method: 'GET',
      path: '/silences',
      tag: 'Alerts',
      summary: 'Silences, the active ones first',
      permission: 'read:alerts',
      query: z.strictObject({ all: queryFlag('Also expired ones.').optional() }),
      data: z.array(silenceSchema),
      handler: ({ query: { all = false } }) =>
        alerts()
          .silences()
          .filter(({ state }) => all || state !== 'expired')
          .toSorted((a, b) => states.indexOf(a.state) - states.indexOf(b.state) || a.endsAt - b.endsAt)
          .map(asSilence),
    }),
    route({
      method: 'POST',
      path: '/silences',
      tag: 'Alerts',
      summary: 'Keep alerts quiet for a time',
      permission: 'change:alerts',
      body: window,
      status: 201,
      data: silenceSchema,
      handler: async ({ body, actor }) => {
        const now = clock.wallTime()
        const startsAt = body.startsAt === undefined ? now : Date.parse(body.startsAt)
        const endsAt = body.endsAt === undefined ? (body.for === undefined ? undefined : startsAt + body.for) : Date.parse(body.endsAt)
        if (endsAt === undefined)
          throw new HoldfastError('invalid_input', 'tried to make a silence: it has no end', { hint: 'give it for: 2h, or endsAt' })
        const { id, comment, endOnResolve, force } = body
        const draft = { id, matchers: matchersOf(body.matchers), startsAt, endsAt, createdBy: actor.name, comment, endOnResolve, force }
        return asSilence(await alerts().setSilence(draft, { actor }))
      },
    }),
    route({
      method: 'DELETE',
      path: '/silences/:id',
      tag: 'Alerts',
      summary: 'End a silence now',
      permission: 'change:alerts',
      params: idParams,
      data: silenceSchema,
      handler: async ({ params: { id }, actor }) => asSilence(await alerts().expireSilence(id, { actor })),
    }),
  ]
}

const states = ['active', 'pending', 'expired'] as const

const matchersOf = (given: string | readonly string[]): readonly Matcher[] =>
  typeof given === 'string' ? parseMatchers(given) : given.map(parseMatcher)
