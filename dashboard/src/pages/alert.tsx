/** One alert: what it says, who is told of it and when next, and why or why not. */
import type { Alert, AlertExplanation } from '../../../src/api/types.ts'
import type { ComponentChildren } from 'preact'
import { get } from '../lib/api.ts'
import { duration } from '../lib/format.ts'
import { href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { Badge } from '../ui/status.tsx'
import { Ago, Time } from '../ui/time.tsx'
import { AckButton, SilenceButton } from './parts/alert-actions.tsx'
import { AlertState, LabelList, Standing } from './parts/alert-words.tsx'
import { serviceHref } from './parts/service-table.tsx'

const everyMs = 3_000

export function AlertPage({ id }: { id: string }) {
  const explained = useLoad((signal) => get<AlertExplanation>(`/alerts/${encodeURIComponent(id)}/explain`, undefined, { signal }), [id], everyMs)
  const { data, reload } = explained
  useNews(['alert.', 'silence.'], reload)
  const alert = data?.alert
  return (
    <Page
      title={alert?.title ?? 'Alert'}
      under={['/alerts', 'Alerts']}
      beside={
        alert && (
          <>
            <AlertState {...alert} />
            <Standing alert={alert} />
          </>
        )
      }
      actions={
        alert && (
          <>
            <AckButton alert={alert} done={reload} />
            <SilenceButton alert={alert} done={reload} />
          </>
        )
      }
    >
      <Loaded of={explained} height={320}>
        {(shown) => (
          <>
            <About alert={shown.alert} />
            <Card title="Who is told" flush>
              {shown.routes.length === 0 ? (
                <p class="muted notice">No route takes it: it is shown here, and nobody is told.</p>
              ) : (
                shown.routes.map((route) => <RouteRow key={route.route} route={route} />)
              )}
            </Card>
          </>
        )}
      </Loaded>
    </Page>
  )
}

const told = new Set(['summary', 'description', 'runbook', 'value', 'event', 'impact'])

function About({ alert: { message, labels, annotations, startsAt, endsAt, service, quiet, acknowledged, url } }: { alert: Alert }) {
  const { description, runbook, value, event, impact } = annotations
  return (
    <Card title="What it says">
      <div class="stack">
        <p class="break">{message}</p>
        {description !== undefined && description !== message && <p class="break">{description}</p>}
        {quiet && (
          <div class="notice info break">
            Nobody is told: {quiet.by}, {quiet.reason}
          </div>
        )}
        {acknowledged && (
          <div class="notice info break">
            <span>
              Taken up by {acknowledged.by} until <Time at={acknowledged.until} />
              {acknowledged.comment !== '' && `: ${acknowledged.comment}`}
            </span>
          </div>
        )}
        <dl class="facts">
          <dt>{endsAt === null ? 'Fires for' : 'Over since'}</dt>
          <dd>{endsAt === null ? <Ago at={startsAt} /> : <Time at={endsAt} />}</dd>
          <dt>Since</dt>
          <dd>
            <Time at={startsAt} />
          </dd>
          {value !== undefined && <Fact name="Value">{value}</Fact>}
          {impact !== undefined && <Fact name="Impact">{impact}</Fact>}
          {service !== null && (
            <Fact name="Service">
              <a href={href(serviceHref(service))}>{service}</a>
            </Fact>
          )}
          {runbook !== undefined && <Fact name="What to do">{/^https?:\/\//.test(runbook) ? <a href={runbook}>{runbook}</a> : runbook}</Fact>}
          {event !== undefined && (
            <Fact name="Led to it">
              <a href={href(`/events?id=${encodeURIComponent(event)}`)}>the event {event}</a>
            </Fact>
          )}
          {url !== null && /^https?:\/\//.test(url) && (
            <Fact name="Look at">
              <a href={url}>{url}</a>
            </Fact>
          )}
          {Object.entries(annotations)
            .filter(([name]) => !told.has(name))
            .map(([name, text]) => (
              <Fact key={name} name={name}>
                {text}
              </Fact>
            ))}
          <dt>Labels</dt>
          <dd>
            <LabelList labels={labels} />
          </dd>
        </dl>
      </div>
    </Card>
  )
}

const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd class="break">{children}</dd>
  </>
)

const RouteRow = ({
  route: { route, receiver, group, groupAlerts, escalation, lastTold, mutedBy, next, reason },
}: {
  route: AlertExplanation['routes'][number]
}) => (
  <div class="alert-row">
    <div class="main-part">
      <div class="row">
        <strong>{receiver ?? 'nobody'}</strong>
        {mutedBy !== null && <Badge tone="info">kept quiet by {mutedBy}</Badge>}
        <span class="muted small">
          {next === null ? (
            'will not be told as things stand'
          ) : (
            <>
              next at <Time at={next} />
            </>
          )}
          {lastTold && (
            <>
              , told last at <Time at={lastTold.at} />
            </>
          )}
        </span>
      </div>
      <p class="break">{reason}</p>
      <p class="muted small break">
        by the route <code>{route}</code>, in a group of {groupAlerts}: <code>{group}</code>
      </p>
      {escalation.map(({ receiver: further, afterMs, at, done }) => (
        <p key={`${further} ${afterMs}`} class="small">
          {done ? 'Told' : 'Then'} {further} after {duration(afterMs)}
          {at !== null && (
            <>
              , <Time at={at} />
            </>
          )}
        </p>
      ))}
    </div>
  </div>
)
