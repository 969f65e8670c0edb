/** One outage: what happened when, what probably led to it, what was said about it, and what the public is told. */
import type { IncidentDetail } from '../../../src/api/types.ts'
import { get, post } from '../lib/api.ts'
import { duration } from '../lib/format.ts'
import { href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { ActionButton, confirm } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Tile } from '../ui/page.tsx'
import { Badge } from '../ui/status.tsx'
import { Ago, Time } from '../ui/time.tsx'
import { IncidentState } from './parts/incident-words.tsx'
import { serviceHref } from './parts/service-table.tsx'

const everyMs = 5_000
const statuses = [
  ['investigating', 'investigating'],
  ['identified', 'identified'],
  ['monitoring', 'monitoring'],
  ['resolved', 'resolved'],
] as const

export function IncidentPage({ id }: { id: string }) {
  const incident = useLoad((signal) => get<IncidentDetail>(`/incidents/${encodeURIComponent(id)}`, undefined, { signal }), [id], everyMs)
  const { data, reload } = incident
  useNews(['incident.', 'alert.', 'notification.'], reload)
  return (
    <Page
      title={data?.title ?? 'Incident'}
      under={['/incidents', 'Incidents']}
      beside={data && <IncidentState {...data} />}
      actions={
        data && (
          <ActionButton permission="change:alerts" onClick={() => write(data, reload)}>
            Write an update
          </ActionButton>
        )
      }
    >
      <Loaded of={incident} height={320}>
        {(detail) => <Detail incident={detail} />}
      </Loaded>
    </Page>
  )
}

function write({ id, status, resolvedAt }: IncidentDetail, reload: () => void): void {
  confirm({
    title: 'Write an update',
    consequence: ({ published }) =>
      published === 'true'
        ? 'Everybody who looks at the status page reads it, and the incident is shown there.'
        : 'It stands here only, and the incident is not on the status page (any more).',
    action: 'Post it',
    fields: [
      { name: 'text', label: 'What is to be said', type: 'textarea', required: true },
      {
        name: 'status',
        label: 'It is',
        type: 'select',
        value: resolvedAt === null ? status : 'resolved',
        options: resolvedAt === null ? statuses : statuses.slice(3),
      },
      { name: 'published', label: 'On the status page', type: 'checkbox', value: 'true' },
    ],
    run: async ({ text, status: stands, published }) => {
      await post(`/incidents/${encodeURIComponent(id)}/updates`, { text, status: stands, published: published === 'true' })
      reload()
      return published === 'true' ? 'The update is published' : 'The update is kept'
    },
  })
}

function Detail({ incident: { openedAt, resolvedAt, impact, services, cause, published, alerts, timeline, updates } }: { incident: IncidentDetail }) {
  return (
    <>
      <div class="tiles">
        <Tile
          name={resolvedAt === null ? 'Goes on for' : 'Lasted'}
          value={resolvedAt === null ? <Ago at={openedAt} /> : duration(Date.parse(resolvedAt) - Date.parse(openedAt))}
          note={<Time at={openedAt} />}
          tone={resolvedAt === null ? 'bad' : undefined}
        />
        <Tile name="Impact" value={impact} />
        <Tile
          name="Services"
          value={services.length}
          note={services.map((name) => (
            <a key={name} href={href(serviceHref(name))}>
              {name}{' '}
            </a>
          ))}
        />
        <Tile name="Alerts" value={alerts.length} note={`${alerts.filter(({ endsAt }) => endsAt === null).length} fire`} />
        <Tile name="Status page" value={published ? 'published' : 'not shown'} />
      </div>
      {cause && (
        <div class="notice warn break">
          <span>
            Probably because of: <a href={href(`/events?id=${encodeURIComponent(cause.event)}`)}>{cause.text}</a> (<Time at={cause.at} />)
          </span>
        </div>
      )}
      <div class="columns">
        <Card title="What happened" flush>
          <ul class="timeline">
            {timeline.map(({ at, kind, text }, index) => (
              <li key={`${at} ${index}`}>
                <span class="muted small">
                  <Time at={at} />
                </span>
                <span>
                  <Badge tone={kind === 'alert' ? 'bad' : kind === 'update' ? 'accent' : 'quiet'}>{kind}</Badge> {text}
                </span>
              </li>
            ))}
          </ul>
        </Card>
        <div class="stack">
          <Card title="What was said" flush>
            <ul class="timeline">
              {updates.toReversed().map(({ at, status, text, by }, index) => (
                <li key={`${at} ${index}`}>
                  <span class="muted small">
                    <Time at={at} />
                  </span>
                  <span>
                    <strong>{status}</strong>: {text} <span class="muted">({by})</span>
                  </span>
                </li>
              ))}
            </ul>
          </Card>
          <Card title="Its alerts" flush>
            <ul class="timeline">
              {alerts.map(({ id, labels, summary, endsAt }) => (
                <li key={id}>
                  <Badge tone={endsAt === null ? 'bad' : 'ok'}>{endsAt === null ? 'fires' : 'over'}</Badge>
                  <span>
                    <a href={href(`/alerts/${id}`)}>{labels.alertname}</a>: {summary}
                  </span>
                </li>
              ))}
            </ul>
          </Card>
        </div>
      </div>
    </>
  )
}
