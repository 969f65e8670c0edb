/** The keys of who is told of alerts, when, and what keeps them quiet; what no single key of them can know; the way to the configuration and back. */
import { parseMatcher, written, type Matcher } from '../../alerting/core/matchers.ts'
import type { RouteConfig } from '../../alerting/core/routes.ts'
import { isLocation, type NumberRange, type TimeInterval } from '../../alerting/core/time-intervals.ts'
import { minutes, ms, seconds, type Duration } from '../../kernel/time.ts'
import type { AlertingConfig, ReceiverConfig } from '../types.ts'
import type { Report } from './checks.ts'
import { boolean, duration, filled, nameOf, text } from './scalars.ts'
import { key, list, map, object, optional, type Draft, type Key, type ObjectType, type ObjectValue, type Scalar, type Value } from './schema.ts'
import { either, nearest, quote } from './words.ts'

// --- scalars ----------------------------------------------------------------------------------------------------------

const httpUrl = (example: string): Scalar<string> => {
  const inner = filled('URL', `a URL such as ${example}`, { max: 2_048 })
  const read = (raw: string): string | undefined => {
    const url = inner.read(raw)
    return url !== undefined && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? url : undefined
  }
  return { ...inner, read }
}

const smtpUrl: Scalar<string> = filled('URL', 'a URL such as smtp://user:password@mail.example.com:587 or smtps://mail.example.com', {
  matching: /^smtps?:\/\/(?:[^\s/@]*@)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d{1,5})?\/?$/,
})
const mailbox: Scalar<string> = filled('address', 'an e-mail address', { max: 320, matching: /^[^\s@<>,]+@[^\s@<>,]+$|^[^<>\p{Cc}]+<[^\s@<>,]+@[^\s@<>,]+>$/u })
const labelName: Scalar<string> = text('label', { expected: 'the name of a label: letters, digits and "_"', matching: /^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/ })
const groupName: Scalar<string> = text('label or `...`', { expected: 'the name of a label, or ... for all of them', matching: /^(?:[a-zA-Z_][a-zA-Z0-9_]{0,127}|\.\.\.)$/ })
const receiverName = nameOf('receiver')

const matcher: Scalar<Matcher> = {
  kind: 'scalar',
  name: 'matcher',
  expected: 'a matcher such as severity="critical", service!=shop, team=~"a|b" or team!~"c.*"',
  read(raw) {
    try {
      return parseMatcher(raw)
    } catch {
      return undefined
    }
  },
  write: written,
}

const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']

/** `a:b`, or `a`; ends are names, or numbers that `isRight` accepts. */
export function range(expected: string, numberOf: (word: string) => number | undefined, wordOf: (number: number) => string): Scalar<NumberRange> {
  return {
    kind: 'scalar',
    name: 'range',
    expected,
    read(raw) {
      const [from = '', to = from, more] = raw.trim().toLowerCase().split(':')
      const ends = { from: numberOf(from.trim()), to: numberOf(to.trim()) }
      if (more !== undefined || ends.from === undefined || ends.to === undefined) return undefined
      return Math.sign(ends.from) !== Math.sign(ends.to) || ends.from <= ends.to ? { from: ends.from, to: ends.to } : undefined
    },
    write: ({ from, to }) => (from === to ? wordOf(from) : `${wordOf(from)}:${wordOf(to)}`),
  }
}

const named =
  (names: readonly string[], first: number) =>
  (word: string): number | undefined => {
    const index = names.findIndex((name) => name === word || (word.length === 3 && name.startsWith(word)))
    return index === -1 ? undefined : index + first
  }
const whole =
  (accept: (number: number) => boolean) =>
  (word: string): number | undefined =>
    /^-?\d{1,4}$/.test(word) && accept(Number(word)) ? Number(word) : undefined

export const weekdayRange = range('days such as monday:friday or saturday', named(days, 0), (n) => days[n] ?? '')
export const dayRange = range('days of the month such as 1:7, 15 or -3:-1', whole((n) => n !== 0 && Math.abs(n) <= 31), String)
const monthNamed = named(months, 1)
export const monthRange = range('months such as january:march, or 1:3', (word) => monthNamed(word) ?? whole((n) => n >= 1 && n <= 12)(word), (n) => months[n - 1] ?? '')
export const yearRange = range('years such as 2026 or 2026:2028', whole((n) => n >= 1_970), String)

const clock = /^(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/
export function minuteOf(raw: string): number | undefined {
  const found = clock.exec(raw.trim())
  return found === null ? undefined : found[1] === undefined ? 1_440 : Number(found[1]) * 60 + Number(found[2])
}
const timeText = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`

const timeRange: Scalar<NumberRange> = {
  kind: 'scalar',
  name: 'times',
  expected: 'times of the day such as 22:00-06:00',
  read(raw) {
    const [from, to, more] = raw.split('-').map(minuteOf)
    return from === undefined || to === undefined || more !== undefined || from === to ? undefined : { from, to }
  },
  write: ({ from, to }) => `${timeText(from)}-${timeText(to)}`,
}

const location: Scalar<string> = {
  ...filled('time zone', 'the name of a time zone such as Europe/Berlin', { max: 64 }),
  read: (raw) => (isLocation(raw.trim()) ? raw.trim() : undefined),
}

// --- keys -------------------------------------------------------------------------------------------------------------

const receiver = object({
  webhook: optional(
    object(
      {
        url: key(httpUrl('https://hooks.example.com/alerts'), { doc: 'Gets a POST with a JSON body in the form of Alertmanager’s webhooks, version 4.' }),
        secret: optional(filled('text', 'a text', { max: 1_024 }), { doc: 'Signs each request: `Holdfast-Signature: t=SECONDS,v1=HMAC-SHA256 of "t.body" in hex`.', without: 'not signed', secret: true }),
        headers: key(map('header', text('name', { expected: 'the name of a header', matching: /^[!#$%&'*+.^`|~\w-]{1,128}$/ }), text('text'), {}), { doc: 'Further headers.', default: {}, secret: true }),
        timeout: key(duration(ms(100), minutes(1)), { doc: 'Of one attempt.', default: seconds(10) }),
      },
      { short: ['url'] },
    ),
    { doc: 'A program.', without: 'at least one of the five is required' },
  ),
  slack: optional(
    object(
      {
        url: key(httpUrl('https://hooks.slack.com/services/…'), { doc: 'An incoming webhook.', secret: true }),
        channel: optional(filled('text', 'a channel'), { doc: 'Where it posts.', without: 'the channel of the webhook' }),
      },
      { short: ['url'] },
    ),
    { doc: 'A channel of Slack, or whatever speaks its incoming webhooks.', without: 'one of the five' },
  ),
  smtp: optional(smtpUrl, { doc: 'E-mail by this server: `smtp:` with STARTTLS where the server has it, `smtps:` with TLS from the start.', without: 'one of the five' }),
  from: key(mailbox, { doc: 'The sender of its mail.', default: 'holdfast@localhost' }),
  to: key(list(mailbox), { doc: 'Who gets its mail.', default: [] }),
  smtpVerify: key(boolean, { doc: '`false`: the certificate of the mail server is not checked.', default: true }),
  pagerduty: optional(
    object(
      {
        key: key(filled('text', 'an integration key', { max: 256 }), { doc: 'The integration key (Events API v2).', secret: true }),
        url: key(httpUrl('https://events.eu.pagerduty.com/v2/enqueue'), { doc: 'Where events go.', default: 'https://events.pagerduty.com/v2/enqueue' }),
      },
      { short: ['key'] },
    ),
    { doc: 'A service of PagerDuty.', without: 'one of the five' },
  ),
  alertmanager: optional(
    object(
      {
        url: key(httpUrl('http://10.0.0.4:9093'), { doc: 'Its API v2 is below this.' }),
        username: optional(filled('text', 'a text'), { doc: 'For basic authentication.', without: 'none' }),
        password: optional(filled('text', 'a text'), { doc: 'The same.', without: 'none', secret: true }),
        token: optional(filled('text', 'a text'), { doc: 'A bearer token.', without: 'none', secret: true }),
      },
      { short: ['url'] },
    ),
    { doc: 'An Alertmanager, which groups and routes by itself: it is told of each alert at once, and again every minute.', without: 'one of the five' },
  ),
  sendResolved: key(boolean, { doc: 'Whether it is told that alerts are over.', default: true }),
})

const intervalMin = seconds(10)
const longest = duration(seconds(1))
const routeTimes = {
  groupBy: { doc: 'Labels that make a group: alerts that have the same values are told together. `...`: every alert by itself.' },
  groupWait: { doc: 'How long the first word of a group waits for others.' },
  groupInterval: { doc: 'Between two words about a group; an `urgent` route does not make new alerts wait for it.' },
  repeatInterval: { doc: 'After this it is said again, while it fires; rounded up to whole intervals.' },
  urgent: { doc: 'Whether new alerts of a group are told after its wait, and its end after 10 s, instead of at the interval; at most 60 times an interval.' },
}

/** Written out, as it holds itself. */
export interface RouteSettings {
  readonly match: Readonly<Record<string, string>>
  readonly matchers: readonly Matcher[]
  readonly receiver: string | undefined
  readonly escalate: readonly { readonly after: Duration; readonly receiver: string }[]
  readonly continue: boolean
  readonly groupBy: readonly string[] | undefined
  readonly groupWait: Duration | undefined
  readonly groupInterval: Duration | undefined
  readonly repeatInterval: Duration | undefined
  readonly urgent: boolean | undefined
  readonly muteTimes: readonly string[]
  readonly activeTimes: readonly string[]
  readonly routes: readonly RouteSettings[]
}

const without = 'as the route above it'
const wait = duration(seconds(0), minutes(60))
const interval = duration(intervalMin)
const intervalName = nameOf('time interval')

const route: ObjectType<RouteSettings> = object({
  match: key(map('label', labelName, text('text')), { doc: 'Labels that must be so.', default: {} }),
  matchers: key(list(matcher), { doc: 'Matchers that must hold, besides `match`.', default: [] }),
  receiver: optional(receiverName, { doc: 'Who is told.', without }),
  escalate: key(
    list(
      object({
        after: key(duration(seconds(1)), { doc: 'Since the group was first told of; the time in which it is acknowledged does not count.' }),
        receiver: key(receiverName, { doc: 'Who is told too, if nobody has acknowledged and it still fires. At once when all before could not be reached.' }),
      }),
    ),
    { doc: 'Further steps, until somebody acknowledges.', default: [] },
  ),
  continue: key(boolean, { doc: 'Whether the routes behind it are tried, too.', default: false }),
  groupBy: optional(list(groupName), { ...routeTimes.groupBy, without }),
  groupWait: optional(wait, { ...routeTimes.groupWait, without }),
  groupInterval: optional(interval, { ...routeTimes.groupInterval, without }),
  repeatInterval: optional(longest, { ...routeTimes.repeatInterval, without }),
  urgent: optional(boolean, { ...routeTimes.urgent, without }),
  muteTimes: key(list(intervalName), { doc: 'Names of time intervals in which it tells nobody.', default: [] }),
  activeTimes: key(list(intervalName), { doc: 'Names of time intervals outside of which it tells nobody.', default: [] }),
  get routes(): Key<readonly RouteSettings[]> {
    return key(list(route), { doc: 'Routes within it, of the same keys: the first that matches takes the alert; what none takes stays here.', default: [] })
  },
})

const timeInterval = object({
  times: key(list(timeRange), { doc: 'Times of the day.', default: [], defaultDoc: 'all' }),
  weekdays: key(list(weekdayRange), { doc: 'Days of the week.', default: [], defaultDoc: 'all' }),
  daysOfMonth: key(list(dayRange), { doc: 'Days of the month; negative ones count from its end.', default: [], defaultDoc: 'all' }),
  months: key(list(monthRange), { doc: 'Months.', default: [], defaultDoc: 'all' }),
  years: key(list(yearRange), { doc: 'Years.', default: [], defaultDoc: 'all' }),
  location: key(location, { doc: 'The time zone it is meant in.', default: 'UTC' }),
})

const inhibit = object({
  source: key(list(matcher, { min: 1 }), { doc: 'An alert that fires and matches this …' }),
  target: key(list(matcher, { min: 1 }), { doc: '… keeps those quiet that match this …' }),
  equal: key(list(labelName), { doc: '… and have the same values of these labels.', default: [] }),
})

/** The graver of two alerts of one name about one thing keeps the milder quiet. */
const usualInhibit = [
  {
    source: [{ name: 'severity', value: 'critical|emergency', isRegex: true, isEqual: true }],
    target: [{ name: 'severity', value: 'warning', isRegex: false, isEqual: true }],
    equal: ['alertname', 'service', 'instance', 'check'],
  },
]

export const notifierKeys = {
  receivers: key(map('receiver', receiverName, receiver), { doc: 'Who can be told.', default: {} }),
  receiver: optional(receiverName, { doc: 'Who is told of what no route takes.', without: 'nobody: alerts are shown, and that is all' }),
  routes: key(list(route), { doc: 'Who is told of what: the first that matches takes the alert.', default: [] }),
  groupBy: key(list(groupName), { ...routeTimes.groupBy, default: ['alertname', 'service'] }),
  groupWait: key(wait, { ...routeTimes.groupWait, default: seconds(1) }),
  groupInterval: key(interval, { ...routeTimes.groupInterval, default: minutes(5) }),
  repeatInterval: key(longest, { ...routeTimes.repeatInterval, default: minutes(240) }),
  urgent: key(boolean, { ...routeTimes.urgent, default: true }),
  fallback: optional(receiverName, { doc: 'Who is told when nobody of a route could be reached.', without: 'as `receiver`' }),
  inhibit: key(list(inhibit), { doc: 'Alerts that keep others quiet.', default: usualInhibit, defaultDoc: 'the graver of two alerts of one name, service, instance and check keeps the milder quiet' }),
  timeIntervals: key(map('time interval', intervalName, list(timeInterval, { min: 1 })), { doc: 'Times with a name, for `muteTimes` and `activeTimes`.', default: {} }),
  resolveTimeout: key(duration(seconds(1)), { doc: 'An alert that is put without an end is over when nobody puts it again for so long.', default: minutes(5) }),
}

export type NotifierSettings = ObjectValue<typeof notifierKeys>

// --- what no single key can know --------------------------------------------------------------------------------------

const kinds = ['webhook', 'slack', 'smtp', 'pagerduty', 'alertmanager'] as const

export function checkNotifier(settings: Draft<NotifierSettings>, report: Report): void {
  if (settings === undefined) return
  const receivers = Object.keys(settings.receivers ?? {})
  const intervals = Object.keys(settings.timeIntervals ?? {})
  const known = (path: string, what: string, name: string | undefined, names: readonly string[]): void => {
    if (name === undefined || names.includes(name)) return
    const near = nearest(name, names)
    const listed = names.length === 0 ? `there is no ${what} at all` : `known: ${either(names.slice(0, 8), 'and')}`
    report.problem(path, { message: `there is no ${what} ${quote(name)}`, found: name, hint: near === undefined ? listed : `did you mean "${near}"?` })
  }
  for (const [name, each] of Object.entries(settings.receivers ?? {})) checkReceiver(`alerting.receivers.${name}`, each, report)
  known('alerting.receiver', 'receiver', settings.receiver, receivers)
  known('alerting.fallback', 'receiver', settings.fallback, receivers)
  checkGroupBy('alerting.groupBy', settings.groupBy, report)
  const walk = (path: string, routes: Draft<readonly RouteSettings[]>, above: boolean): void =>
    routes?.forEach((each, i) => {
      const here = `${path}[${i}]`
      if (each === undefined) return
      known(`${here}.receiver`, 'receiver', each.receiver, receivers)
      if (each.receiver === undefined && !above && !report.given(`${here}.receiver`))
        report.keyProblem(here, { message: 'has nobody to tell', hint: 'give it a receiver, or set alerting.receiver' })
      each.escalate?.forEach((step, n) => {
        known(`${here}.escalate[${n}].receiver`, 'receiver', step?.receiver, receivers)
        const before = each.escalate?.[n - 1]?.after
        if (before !== undefined && step?.after !== undefined && step.after < before) report.problem(`${here}.escalate[${n}].after`, { message: 'is earlier than the step before it', hint: 'put the steps in order' })
      })
      checkGroupBy(`${here}.groupBy`, each.groupBy, report)
      each.muteTimes?.forEach((name, n) => known(`${here}.muteTimes[${n}]`, 'time interval', name, intervals))
      each.activeTimes?.forEach((name, n) => known(`${here}.activeTimes[${n}]`, 'time interval', name, intervals))
      walk(`${here}.routes`, each.routes, above || each.receiver !== undefined || report.given(`${here}.receiver`))
    })
  walk('alerting.routes', settings.routes, settings.receiver !== undefined || report.given('alerting.receiver'))
}

function checkReceiver(path: string, settings: Draft<Value<typeof receiver>>, report: Report): void {
  const given = (name: string): boolean => report.given(`${path}.${name}`)
  if (!kinds.some(given)) report.keyProblem(path, { message: 'reaches nobody', hint: `give it ${either(kinds)}` })
  if (given('smtp') && (settings?.to ?? []).length === 0) report.keyProblem(path, { message: 'does not say who gets its mail', hint: 'give it to: [oncall@example.com]' })
  for (const name of ['to', 'from', 'smtpVerify']) if (given(name) && !given('smtp')) report.keyProblem(`${path}.${name}`, { message: 'means nothing without smtp', hint: 'leave it out, or give it smtp' })
  if (given('alertmanager.password') !== given('alertmanager.username')) report.keyProblem(`${path}.alertmanager`, { message: 'a username and a password go together', hint: 'give both' })
}

function checkGroupBy(path: string, names: readonly (string | undefined)[] | undefined, report: Report): void {
  if (names?.includes('...') === true && names.length > 1) report.problem(path, { message: '... stands for all labels, and others are named besides', hint: 'write groupBy: [...] alone' })
}

// --- the way to the configuration and back ----------------------------------------------------------------------------

export function toAlerting(settings: NotifierSettings): AlertingConfig {
  const { receivers, receiver = '', routes, groupBy, groupWait, groupInterval, repeatInterval, urgent, fallback, inhibit, timeIntervals, resolveTimeout } = settings
  const options = { groupBy: toGroupBy(groupBy), groupWaitMs: groupWait, groupIntervalMs: groupInterval, repeatIntervalMs: repeatInterval, urgent }
  return {
    receivers: mapped(receivers, toReceiver),
    root: { receiver, ...options, routes: routes.map(toRoute) },
    fallback,
    inhibit,
    timeIntervals: mapped(timeIntervals, (each) => each.map(toInterval)),
    resolveTimeout,
  }
}

const toGroupBy = (names: readonly string[]): readonly string[] | '...' => (names.includes('...') ? '...' : names)
const fromGroupBy = (names: readonly string[] | '...' | undefined): readonly string[] | undefined => (names === '...' ? ['...'] : names)

function toReceiver({ smtp, from, to, smtpVerify, sendResolved, ...kinds }: NotifierSettings['receivers'][string]): ReceiverConfig {
  return { ...kinds, ...(smtp !== undefined && { smtp: { url: smtp, from, to, verify: smtpVerify } }), sendResolved }
}

function toRoute(route: RouteSettings): RouteConfig {
  const { match, matchers, receiver, escalate, groupBy, groupWait, groupInterval, repeatInterval, urgent, muteTimes, activeTimes, routes } = route
  const equal = Object.entries(match).map(([name, value]): Matcher => ({ name, value, isRegex: false, isEqual: true }))
  return {
    matchers: [...equal, ...matchers],
    ...(receiver !== undefined && { receiver }),
    escalate: escalate.map((step) => ({ afterMs: step.after, receiver: step.receiver })),
    continue: route.continue,
    ...(groupBy !== undefined && { groupBy: toGroupBy(groupBy) }),
    ...(groupWait !== undefined && { groupWaitMs: groupWait }),
    ...(groupInterval !== undefined && { groupIntervalMs: groupInterval }),
    ...(repeatInterval !== undefined && { repeatIntervalMs: repeatInterval }),
    ...(urgent !== undefined && { urgent }),
    muteTimes,
    activeTimes,
    routes: routes.map(toRoute),
  }
}

/** Times over midnight are two. */
function toInterval({ times, ...rest }: NotifierSettings['timeIntervals'][string][number]): TimeInterval {
  return { ...rest, times: times.flatMap(({ from, to }) => (from < to ? [{ from, to }] : [{ from, to: 1_440 }, ...(to > 0 ? [{ from: 0, to }] : [])])) }
}

export function fromAlerting({ receivers, root, fallback, inhibit, timeIntervals, resolveTimeout }: AlertingConfig): Draft<NotifierSettings> {
  const { receiver, groupBy, groupWaitMs, groupIntervalMs, repeatIntervalMs, urgent, routes = [] } = root
  return {
    receivers: mapped(receivers, fromReceiver),
    receiver: receiver === '' ? undefined : receiver,
    routes: routes.map(fromRoute),
    groupBy: fromGroupBy(groupBy),
    groupWait: length(groupWaitMs),
    groupInterval: length(groupIntervalMs),
    repeatInterval: length(repeatIntervalMs),
    urgent,
    fallback,
    inhibit,
    timeIntervals,
    resolveTimeout,
  }
}

const length = (value: number | undefined): Duration | undefined => (value === undefined ? undefined : ms(value))

const fromReceiver = ({ smtp, ...rest }: ReceiverConfig): Draft<NotifierSettings['receivers'][string]> => ({
  ...rest,
  ...(smtp && { smtp: smtp.url, from: smtp.from, to: smtp.to, smtpVerify: smtp.verify }),
})

function fromRoute(route: RouteConfig): NonNullable<Draft<RouteSettings>> {
  return {
    match: {},
    matchers: route.matchers ?? [],
    receiver: route.receiver,
    escalate: (route.escalate ?? []).map(({ afterMs, receiver }) => ({ after: ms(afterMs), receiver })),
    continue: route.continue ?? false,
    groupBy: fromGroupBy(route.groupBy),
    groupWait: length(route.groupWaitMs),
    groupInterval: length(route.groupIntervalMs),
    repeatInterval: length(route.repeatIntervalMs),
    urgent: route.urgent,
    muteTimes: route.muteTimes ?? [],
    activeTimes: route.activeTimes ?? [],
    routes: (route.routes ?? []).map(fromRoute),
  }
}

function mapped<T, U>(values: Readonly<Record<string, T>>, change: (value: T) => U): Readonly<Record<string, U>> {
  const changed = Object.create(null) as Record<string, U>
  for (const [name, value] of Object.entries(values)) changed[name] = change(value)
  return changed
}
