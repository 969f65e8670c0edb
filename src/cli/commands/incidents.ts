/** `holdfast incidents …`: outages, and what led to them. */
import type { IncidentDescription } from '../alerts-api.ts'
import { defineCommand, optional, text } from '../command.ts'
import { formatAge, formatDateTime, formatTimeOfDay } from '../format.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

const columns: readonly Column[] = [
  { title: 'ID' },
  { title: 'STATUS' },
  { title: 'IMPACT' },
  { title: 'OPENED (UTC)' },
  { title: 'LASTED', align: 'right' },
  { title: 'ALERTS', align: 'right' },
  { title: 'TITLE', shrinkTo: 16 },
  { title: 'LIKELY CAUSE', shrinkTo: 12 },
]

export const incidents = defineCommand({
  name: 'incidents',
  summary: 'outages, the newest first; one of them with its timeline',
  arguments: { id: optional('[id]', 'this one, and all that happened', text) },
  examples: ['holdfast incidents', 'holdfast incidents 01M80BXNVJMMC3KPRA3W0RV9R8'],
  async run(context, { id }) {
    const api = await context.connect()
    if (id !== undefined) {
      const incident = await api.incident(id)
      return { data: incident, text: detailOf(incident) }
    }
    const found = await api.incidents()
    const { out, clock } = context
    const now = clock.wallTime()
    const table = renderTable(
      columns,
      found.map((each) => cellsOf(each, now)),
      out.columns,
      (title) => out.paint('dim', title),
    )
    return { data: found, text: found.length === 0 ? 'no incident' : table }
  },
})

function cellsOf({ id, status, impact, openedAt, resolvedAt, alerts, title, cause }: IncidentDescription, now: number): readonly string[] {
  const lasted = (resolvedAt === null ? now : Date.parse(resolvedAt)) - Date.parse(openedAt)
  return [
    id,
    status,
    impact,
    formatDateTime(Date.parse(openedAt)),
    formatAge(lasted),
    String(alerts.length),
    printable(title, false),
    cause ? printable(cause.text, false) : '-',
  ]
}

function detailOf({ title, status, impact, services, cause, timeline = [] }: IncidentDescription): string {
  const head = [printable(title, false), `${status}, impact ${impact}${services.length > 0 ? `, services ${services.join(', ')}` : ''}`]
  const why = cause ? [`likely cause: ${printable(cause.text, false)}`] : []
  return [
    ...head,
    ...why,
    '',
    ...timeline.map(({ at, kind, text }) => `${formatTimeOfDay(Date.parse(at))}  ${kind.padEnd(12)}  ${printable(text, false)}`),
  ].join('\n')
}
