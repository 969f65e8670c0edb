/** Incidents and maintenance as a feed, for readers and chat rooms that follow one. Source: RFC 4287. */
import type { IncidentView, MaintenanceView, StatusView } from '../types.ts'

const iso = (at: number): string => new Date(at).toISOString()

interface Entry {
  readonly id: string
  readonly title: string
  readonly publishedAt: number
  readonly updatedAt: number
  readonly text: string
}

export function atomFeed(view: StatusView): string {
  const entries = [...view.maintenances.map((one) => maintenanceEntry(one, view)), ...view.incidents.map(incidentEntry)]
  const updatedAt = entries.length === 0 ? view.at : Math.max(...entries.map((entry) => entry.updatedAt))
  const link = view.url === undefined ? '' : `\n<link rel="alternate" type="text/html" href="${xml(view.url)}"/>`
  return `<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<id>urn:holdfast:${view.id}</id>
<title>${xml(view.title)}</title>
<author><name>${xml(view.title)}</name></author>
<updated>${iso(updatedAt)}</updated>${link}
${entries.map((one) => entryOf(one, link)).join('\n')}
</feed>
`
}

const entryOf = ({ id, title, publishedAt, updatedAt, text }: Entry, link: string): string => `<entry>
<id>urn:holdfast:${id}</id>
<title>${xml(title)}</title>
<published>${iso(publishedAt)}</published>
<updated>${iso(updatedAt)}</updated>${link}
<content type="text">${xml(text)}</content>
</entry>`

function incidentEntry({ id, title, startedAt, updates }: IncidentView): Entry {
  const text = updates.map((update) => `${iso(update.at)} ${update.status}: ${update.text}`).join('\n')
  return { id: `incident:${xml(id)}`, title, publishedAt: startedAt, updatedAt: Math.max(startedAt, ...updates.map(({ at }) => at)), text }
}

/** Nobody wrote down when it was planned: it is as old as it can be known to be, so that it does not look new again and again. */
function maintenanceEntry({ id, title, startedAt, endsAt, status }: MaintenanceView, view: StatusView): Entry {
  const from = startedAt ?? view.at
  const until = endsAt === undefined ? '' : ` until ${iso(endsAt)}`
  const known = Math.min(from, view.at - (view.at % 86_400_000))
  const text = `${status === 'scheduled' ? 'Planned from' : 'In progress since'} ${iso(from)}${until}`
  return { id: `maintenance:${id}`, title, publishedAt: known, updatedAt: status === 'scheduled' ? known : from, text }
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
/** Characters that XML cannot hold at all are left out. */
const xml = (text: string): string =>
  text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '').replace(/[&<>"]/g, (one) => entities[one] ?? '')
