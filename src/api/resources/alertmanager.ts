/**
 * The API v2 of Alertmanager, at its own paths and in its own shapes, so that amtool, Prometheus and others speak to Holdfast as to an Alertmanager.
 * Source: api/v2/openapi.yaml and api/v2/api.go of Alertmanager 0.25. Errors are a JSON text, as there.
 */
import { z } from 'zod'
import { matches, parseMatcher, type Matcher } from '../../alerting/core/matchers.ts'
import { parseRegex, type Regex } from '../../alerting/core/regex.ts'
import type { AlertView, PutAlert, SilenceView } from '../../app/alert-operations.ts'
import { HoldfastError, codeOf, messageOf } from '../../kernel/errors.ts'
import type { Clock } from '../../kernel/time.ts'
import type { ApiDeps } from '../deps.ts'
import { RawAnswer, route, type Route, type RouteContext } from '../route.ts'
import { asExplanation } from '../schemas/alerts.ts'

const flag = z.union([z.string(), z.array(z.string())]).optional()
const alertQuery = z.object({ active: flag, silenced: flag, inhibited: flag, unprocessed: flag, receiver: flag, filter: flag })
const anything = z.unknown()
/** Whose API this is. */
const spokenVersion = '0.25.0'
const common = { atRoot: true, tag: 'Alertmanager', data: z.unknown() } as const

type Alerting = ApiDeps['operations']['alerting']

export function alertmanagerRoutes({ operations, version }: ApiDeps, clock: Clock): readonly Route[] {
  const alerting = (): Alerting => operations.alerting
  const startedAt = new Date(clock.wallTime()).toISOString()
  return [
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/status',
      summary: 'As Alertmanager answers',
      permission: 'read:alerts',
      handler: () => json(statusOf(operations, version, startedAt)),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/receivers',
      summary: 'Receivers',
      permission: 'read:alerts',
      handler: () =>
        json(
          alerting()
            .receivers()
            .map(({ name }) => ({ name })),
        ),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/alerts',
      summary: 'Alerts',
      permission: 'read:alerts',
      query: alertQuery,
      handler: (context) =>
        guarded(context, () => rawJson(listText(wanted(alerting().alerts(), context.query).toSorted((a, b) => (a.id < b.id ? -1 : 1))))),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v2/alerts',
      summary: 'Put alerts',
      permission: 'change:alerts',
      audited: false,
      body: anything,
      handler: (context) =>
        guarded(context, () => {
          const { puts, errors } = postable(context.body)
          const refused = [...errors, ...alerting().put(puts).map(messageOf)]
          if (refused.length > 0) throw new HoldfastError('invalid_input', shownOf(refused))
          return json('')
        }),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/alerts/groups',
      summary: 'Alerts by group',
      permission: 'read:alerts',
      query: alertQuery,
      handler: (context) => guarded(context, () => json(groupsOf(alerting(), context.query))),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/alerts/:id/explain',
      summary: 'Why somebody is told of an alert, or not; Alertmanager has no such thing',
      permission: 'read:alerts',
      params: z.object({ id: z.string() }),
      handler: (context) => guarded(context, () => json(asExplanation(alerting().explainAlert(context.params.id)))),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/silences',
      summary: 'Silences',
      permission: 'read:alerts',
      query: z.object({ filter: flag }),
      handler: (context) =>
        guarded(context, () => {
          const filter = matchersIn(context.query.filter)
          return json(
            alerting()
              .silences()
              .filter((silence) => isAbout(silence, filter))
              .toSorted(bySilence)
              .map(gettableSilence),
          )
        }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v2/silences',
      summary: 'Make or change a silence',
      permission: 'change:alerts',
      body: anything,
      handler: (context) =>
        guarded(context, async () => {
          const draft = postableSilence.safeParse(context.body)
          if (!draft.success)
            throw new HoldfastError('invalid_input', draft.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
          const { startsAt, endsAt, ...rest } = draft.data
          const silence = await alerting().setSilence(
            { ...rest, startsAt: Date.parse(startsAt), endsAt: Date.parse(endsAt) },
            { actor: context.actor },
          )
          return json({ silenceID: silence.id })
        }),
    }),
    route({
      ...common,
      method: 'GET',
      path: '/api/v2/silence/:id',
      summary: 'One silence',
      permission: 'read:alerts',
      params: z.object({ id: z.string() }),
      handler: (context) => guarded(context, () => json(gettableSilence(alerting().silence(context.params.id)))),
    }),
    route({
      ...common,
      method: 'DELETE',
      path: '/api/v2/silence/:id',
      summary: 'End a silence',
      permission: 'change:alerts',
      params: z.object({ id: z.string() }),
      handler: (context) =>
        guarded(context, async () => {
          await alerting().expireSilence(context.params.id, { actor: context.actor })
          return json('')
        }),
    }),
    ...['/-/healthy', '/-/ready'].map((path) =>
      route({
        ...common,
        method: 'GET',
        path,
        summary: 'As Alertmanager answers',
        permission: 'open',
        unlimited: true,
        handler: () => new RawAnswer('text/plain; charset=utf-8', 'OK'),
      }),
    ),
    route({
      ...common,
      method: 'POST',
      path: '/-/reload',
      summary: 'Apply the configuration file',
      permission: 'manage:config',
      handler: async ({ actor }) => {
        await operations.applyConfig({ actor })
        return new RawAnswer('text/plain; charset=utf-8', '')
      },
    }),
  ]
}

const rawJson = (text: string): RawAnswer => new RawAnswer('application/json; charset=utf-8', text)
const json = (value: unknown): RawAnswer => rawJson(value === '' ? '' : JSON.stringify(value))

/** Errors as Alertmanager answers them: a status, and the sentence as JSON. */
async function guarded({ reply }: Pick<RouteContext, 'reply'>, answer: () => RawAnswer | Promise<RawAnswer>): Promise<RawAnswer> {
  try {
    return await answer()
  } catch (error) {
    const status = statuses[codeOf(error) ?? '']
    if (status === undefined) throw error
    reply.code(status)
    return json(messageOf(error))
  }
}

/** Source: api.go; to expire what has expired is 500 there. */
const statuses: Readonly<Record<string, number>> = { invalid_input: 400, unknown_silence: 404, unknown_alert: 404, conflict: 500 }

// --- alerts -----------------------------------------------------------------------------------------------------------

const listOf = (given: string | readonly string[] | undefined): readonly string[] =>
  given === undefined ? [] : typeof given === 'string' ? [given] : given
const isOff = (given: string | readonly string[] | undefined): boolean => listOf(given).at(-1) === 'false'

function matchersIn(filter: string | readonly string[] | undefined): readonly Matcher[] {
  return listOf(filter).map(parseMatcher)
}

type AlertQuery = z.output<typeof alertQuery>

function wanted(views: readonly AlertView[], query: AlertQuery): readonly AlertView[] {
  const filter = matchersIn(query.filter)
  const receiver = receiverIn(query.receiver)
  return views.filter(
    (view) =>
      isShown(view, query) && matches(filter, view.alert.labels) && (receiver === undefined || view.receivers.some((name) => receiver.matches(name))),
  )
}

function isShown({ quiet }: AlertView, { active, silenced, inhibited }: AlertQuery): boolean {
  if (quiet === undefined) return !isOff(active)
  return quiet.by === 'silenced' || quiet.by === 'maintenance' ? !isOff(silenced) : !isOff(inhibited)
}

function receiverIn(given: string | readonly string[] | undefined): Regex | undefined {
  const source = listOf(given).at(-1)
  if (source === undefined || source === '') return undefined
  try {
    return parseRegex(source)
  } catch (error) {
    throw new HoldfastError('invalid_input', `failed to parse receiver param: ${messageOf(error)}`)
  }
}

const iso = (at: number): string => new Date(at).toISOString()

/** What does not change as long as the alert does not. */
const fixed = ({ labels, annotations, startsAt, endsAt, updatedAt, generatorUrl, fingerprint }: AlertView['alert']): Record<string, unknown> => ({
  ...{ annotations, endsAt: iso(endsAt), fingerprint, startsAt: iso(startsAt), updatedAt: iso(updatedAt) },
  ...(generatorUrl !== undefined && { generatorURL: generatorUrl }),
  labels,
})

const changing = ({ quiet, receivers }: AlertView): Record<string, unknown> => ({
  receivers: receivers.map((name) => ({ name })),
  status: {
    inhibitedBy: quiet?.by === 'inhibited' || quiet?.by === 'suppressed' ? quiet.ids : [],
    silencedBy: quiet?.by === 'silenced' || quiet?.by === 'maintenance' ? (quiet.ids.length > 0 ? quiet.ids : ['maintenance']) : [],
    state: quiet === undefined ? 'active' : 'suppressed',
  },
})

const gettable = (view: AlertView): Record<string, unknown> => ({ ...fixed(view.alert), ...changing(view) })

/** Thousands of alerts are asked for again and again by those who show them: the text of each is made once, and goes with it. */
const fixedTexts = new WeakMap<AlertView['alert'], string>()

function listText(views: readonly AlertView[]): string {
  const texts = views.map((view) => {
    let text = fixedTexts.get(view.alert)
    if (text === undefined) {
      text = JSON.stringify(fixed(view.alert)).slice(0, -1)
      fixedTexts.set(view.alert, text)
    }
    return `${text},${JSON.stringify(changing(view)).slice(1)}`
  })
  return `[${texts.join(',')}]`
}

function groupsOf(alerting: Alerting, query: AlertQuery): unknown {
  const receiver = receiverIn(query.receiver)
  const groups = alerting
    .groups()
    .filter((group) => receiver?.matches(group.receiver) ?? true)
    .map((group) => ({
      alerts: wanted(group.alerts, { ...query, receiver: undefined }).map(gettable),
      labels: group.labels,
      receiver: { name: group.receiver },
    }))
    .filter(({ alerts }) => alerts.length > 0)
  const text = (group: (typeof groups)[number]): string => `${JSON.stringify(group.labels)}${group.receiver.name}`
  return groups.toSorted((a, b) => (text(a) < text(b) ? -1 : 1))
}

const zero = Date.parse('0001-01-01T00:00:00Z')
const moment = z
  .string()
  .optional()
  .refine((text) => text === undefined || text === '' || !Number.isNaN(Date.parse(text)), 'must be a time of RFC 3339')
  .transform((text) => (text === undefined || text === '' || Date.parse(text) <= zero ? undefined : Date.parse(text)))
const texts = z.record(z.string(), z.string())
const postableAlert = z.object({
  labels: texts,
  annotations: texts.optional(),
  startsAt: moment,
  endsAt: moment,
  generatorURL: z.string().max(8_192).optional(),
})

function postable(body: unknown): { readonly puts: readonly PutAlert[]; readonly errors: readonly string[] } {
  if (!Array.isArray(body)) throw new HoldfastError('invalid_input', 'expected a list of alerts')
  const puts: PutAlert[] = []
  const errors: string[] = []
  for (const each of body) {
    const parsed = postableAlert.safeParse(each)
    if (!parsed.success) {
      errors.push(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
      continue
    }
    const { labels, annotations = {}, startsAt, endsAt, generatorURL } = parsed.data
    puts.push({ labels, annotations, startsAt, endsAt, ...(generatorURL !== undefined && generatorURL !== '' && { generatorUrl: generatorURL }) })
  }
  return { puts, errors }
}

const refusalsShown = 10

const shownOf = (refused: readonly string[]): string =>
  [...refused.slice(0, refusalsShown), ...(refused.length > refusalsShown ? [`and ${refused.length - refusalsShown} more were not taken`] : [])].join(
    '; ',
  )

// --- silences ---------------------------------------------------------------------------------------------------------

const date = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'must be a time of RFC 3339')
const postableSilence = z.object({
  id: z.string().max(64).optional(),
  matchers: z
    .array(
      z
        .object({ name: z.string().min(1), value: z.string(), isRegex: z.boolean(), isEqual: z.boolean().optional() })
        .transform(({ isEqual = true, ...rest }): Matcher => ({ ...rest, isEqual })),
    )
    .superRefine((matchers, context) => {
      for (const { value, isRegex } of matchers) {
        const why = isRegex ? whyNoRegex(value) : undefined
        if (why !== undefined) context.addIssue(why)
      }
    }),
  startsAt: date,
  endsAt: date,
  createdBy: z.string(),
  comment: z.string(),
})

function whyNoRegex(source: string): string | undefined {
  try {
    parseRegex(source)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function gettableSilence({ id, state, updatedAt, comment, createdBy, endsAt, startsAt, matchers }: SilenceView): Record<string, unknown> {
  return { id, status: { state }, updatedAt: iso(updatedAt), comment, createdBy, endsAt: iso(endsAt), matchers, startsAt: iso(startsAt) }
}

/** By the text of its matchers, as Alertmanager filters: each must match the silence's matchers taken for labels. */
function isAbout({ matchers }: SilenceView, filter: readonly Matcher[]): boolean {
  const labels = Object.fromEntries(matchers.map(({ name, value }) => [name, value]))
  return matches(filter, labels)
}

const order = ['active', 'pending', 'expired'] as const

function bySilence(a: SilenceView, b: SilenceView): number {
  const states = order.indexOf(a.state) - order.indexOf(b.state)
  if (states !== 0) return states
  if (a.state === 'active') return a.endsAt - b.endsAt
  return a.state === 'pending' ? a.startsAt - b.startsAt : b.endsAt - a.endsAt
}

function statusOf(operations: ApiDeps['operations'], version: string, startedAt: string): unknown {
  return {
    cluster: { name: '', peers: [], status: 'disabled' },
    config: { original: operations.alerting.alertmanagerConfig() },
    uptime: startedAt,
    // amtool warns when this is not its own version.
    versionInfo: { branch: 'holdfast', buildDate: '', buildUser: '', goVersion: '', revision: version, version: spokenVersion },
  }
}
