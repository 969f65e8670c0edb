/** Outages: when, for how long, what they concern and what probably led to them. */
import type { Incident } from '../../../src/api/types.ts'
import { get } from '../lib/api.ts'
import { duration, plural } from '../lib/format.ts'
import { go, href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge } from '../ui/status.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { Ago, Time } from '../ui/time.tsx'
import { IncidentState, incidentHref } from './parts/incident-words.tsx'

const everyMs = 10_000

const columns: readonly Column<Incident>[] = [
  {
    key: 'title',
    label: 'Incident',
    cell: ({ id, title, cause }) => (
      <>
        <div class="break">
          <a href={href(incidentHref(id))}>{title}</a>
        </div>
        {cause && <span class="sub">{cause.text}</span>}
      </>
    ),
  },
  { key: 'status', label: 'State', cell: (incident) => <IncidentState {...incident} />, width: 128 },
  { key: 'opened', label: 'Began', cell: ({ openedAt }) => <Time at={openedAt} />, sort: ({ openedAt }) => openedAt, hide: 'narrow', width: 132 },
  {
    key: 'lasted',
    label: 'Lasted',
    cell: ({ openedAt, resolvedAt }) => (resolvedAt === null ? <Ago at={openedAt} /> : duration(Date.parse(resolvedAt) - Date.parse(openedAt))),
    width: 104,
  },
  { key: 'alerts', label: 'Alerts', cell: ({ alerts }) => alerts.length, num: true, hide: 'narrow', width: 80 },
  {
    key: 'published',
    label: 'Public',
    cell: ({ published }) => (published ? <Badge tone="info">published</Badge> : null),
    hide: 'medium',
    width: 104,
  },
]

export function Incidents() {
  const incidents = useLoad((signal) => get<readonly Incident[]>('/incidents', { limit: 100 }, { signal }), [], everyMs)
  useNews(['incident.'], incidents.reload)
  const open = (incidents.data ?? []).filter(({ resolvedAt }) => resolvedAt === null).length
  return (
    <Page title="Incidents" beside={open > 0 && <Badge tone="bad">{plural(open, 'open one')}</Badge>}>
      <Card flush>
        <Loaded of={incidents} height={240}>
          {(rows) => (
            <ListTable
              label="Incidents"
              rows={rows}
              idOf={({ id }) => id}
              columns={columns}
              onRow={({ id }) => go(incidentHref(id))}
              empty={
                <EmptyState title="There has been no incident">
                  The first critical alert of an outage opens one; everything that follows from it is attached.
                </EmptyState>
              }
            />
          )}
        </Loaded>
      </Card>
    </Page>
  )
}
