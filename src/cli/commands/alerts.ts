/** `holdfast alerts …`: what fires, taking it up, and who would be told. */
import { counted } from '../../kernel/words.ts'
import type { AlertDescription, AlertExplanationDescription } from '../alerts-api.ts'
import { defineCommand, flag, optional, required, rest, text } from '../command.ts'
import { usageError } from '../errors.ts'
import { formatAge, formatDateTime, formatTimeOfDay } from '../format.ts'
import type { Output } from '../output.ts'
import { duration } from '../readers.ts'
import { printable, type Tone } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const columns: readonly Column[] = [
  { title: 'ID' },
  { title: 'SEVERITY' },
  { title: 'ALERT', shrinkTo: 12 },
  { title: 'STATUS', shrinkTo: 10 },
  { title: 'FOR', align: 'right' },
  { title: 'TOLD', shrinkTo: 6 },
  { title: 'MESSAGE', shrinkTo: 20 },
]

const tones: Readonly<Record<AlertDescription['type'], Tone>> = { warning: 'yellow', critical: 'red', emergency: 'magenta' }

export const alerts = defineCommand({
  name: 'alerts',
  summary: 'what fires, the gravest first, and who is told',
  options: {
    all: flag('--all', 'also what is over and not forgotten'),
    service: optional('--service <service>', 'only those of this service', text),
  },
  examples: ['holdfast alerts', 'holdfast alerts --all --service shop', 'holdfast alerts --json'],
  async run(context, { all, service }) {
    const api = await context.connect()
    const found = await api.alerts({ all, service })
    const { out, clock } = context
    const now = clock.wallTime()
    const rows = found.map((alert) => cellsOf(alert, now, out))
    const table = renderTable(columns, rows, out.columns, (title) => out.paint('dim', title))
    return { data: found, text: found.length === 0 ? 'nothing fires' : table }
  },
})

function cellsOf(
  { id, type, title, status, startsAt, receivers, message, quiet }: AlertDescription,
  now: number,
  { paint }: Output,
): readonly string[] {
  const shown = quiet ? `${status} (${quiet.by})` : status
  return [
    id,
    status === 'resolved' ? type : paint(tones[type], type),
    printable(title, false),
    shown,
    formatAge(now - Date.parse(startsAt)),
    receivers.length === 0 ? 'nobody' : receivers.join(', '),
    printable(message, false),
  ]
}

export const alertsAck = defineCommand({
  name: 'alerts ack',
  summary: 'take an alert up: nobody else is told while this holds',
  arguments: { id: required('<id>', 'the id that `holdfast alerts` shows', text) },
  options: {
    comment: optional('--comment <text>', 'what you do about it', text),
    time: optional('--for <duration>', 'how long it holds; default 30m', duration),
  },
  examples: ['holdfast alerts ack e87341228dc943c8 --comment "on it"', 'holdfast alerts ack e87341228dc943c8 --for 2h'],
  async run(context, { id, comment, time }) {
    const api = await context.connect()
    const ack = await api.ackAlert(id, { comment, for: time })
    return { data: ack, text: `${printable(ack.by, false)} has taken up ${id} until ${formatTimeOfDay(Date.parse(ack.until))} UTC` }
  },
})

const pair = (raw: string): string => {
  if (!/^[a-zA-Z_]\w*=/.test(raw)) throw usageError(`expected labels such as severity=critical, found ${JSON.stringify(raw)}`)
  return raw
}

export const alertsRoutes = defineCommand({
  name: 'alerts routes',
  summary: 'who would be told of an alert with these labels',
  description: 'Receivers in the order of the routes, as `amtool config routes test` prints them.',
  arguments: { labels: rest('[label...]', 'labels such as severity=critical', pair) },
  examples: ['holdfast alerts routes severity=critical service=shop'],
  async run(context, { labels }) {
    const api = await context.connect()
    const routes = await api.alertRoutes(
      Object.fromEntries(labels.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)])),
    )
    return { data: routes, text: routes.map(({ receiver }) => receiver ?? 'nobody').join(',') }
  },
})

export function renderAlertExplanation({ alert, routes }: AlertExplanationDescription, { paint }: Pick<Output, 'paint'>): string {
  const labels = Object.entries(alert.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const since = formatDateTime(Date.parse(alert.startsAt))
  const head = [
    paint('bold', `${alert.type}: ${printable(alert.message, false)}`),
    paint('dim', printable(`{${labels.join(', ')}} since ${since} UTC`, false)),
    `status     ${alert.status}`,
    ...(alert.quiet ? [`quiet      ${alert.quiet.by}: ${printable(alert.quiet.reason, false)}`] : []),
    ...(alert.acknowledged ? [`taken up   by ${printable(alert.acknowledged.by, false)} until ${alert.acknowledged.until}`] : []),
  ]
  const told = routes.flatMap(({ route, receiver, group, groupAlerts, escalation, lastTold, next, reason }) => [
    `route      ${printable(route, false)}`,
    `receiver   ${receiver ?? 'nobody'}`,
    `group      ${printable(group, false)}, ${counted(groupAlerts, 'alert')}`,
    ...(lastTold ? [`last told  ${lastTold.at}`] : []),
    ...escalation.map(
      (step) => `then       ${step.receiver}${step.done ? ', told' : step.at === null ? '' : ` at ${step.at}, unless somebody acknowledges`}`,
    ),
    `next word  ${next ?? 'none'}: ${printable(reason, false)}`,
  ])
  return [...head, ...told].join('\n')
}
