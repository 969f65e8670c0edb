/** What fires, what may soon, what is over: grave ones first, grouped by what they are of. */
import type { Alert, AlertRule } from '../../../src/api/types.ts'
import { useEffect } from 'preact/hooks'
import { get } from '../lib/api.ts'
import { count, plural } from '../lib/format.ts'
import { firingAlerts, openAlerts } from '../lib/live.ts'
import { href, query, setQuery } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { useNews } from '../lib/use-news.ts'
import { ActionButton } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page, Segments, Tabs } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, Status } from '../ui/status.tsx'
import { Ago, Time } from '../ui/time.tsx'
import { AckButton, SilenceButton, silence } from './parts/alert-actions.tsx'
import { AlertState, LabelList, Standing, severityTones } from './parts/alert-words.tsx'

const everyMs = 5_000
const shownMost = 500

export const alertTabs = [
  ['/alerts', 'Alerts'],
  ['/alerts/silences', 'Silences'],
  ['/alerts/receivers', 'Receivers'],
] as const

type Show = 'firing' | 'pending' | 'resolved'

export function Alerts() {
  const show = (query.value.get('show') ?? 'firing') as Show
  const filter = query.value.get('filter') ?? ''
  const alerts = useLoad(
    (signal) =>
      get<readonly Alert[]>(
        '/alerts',
        { ...(show === 'resolved' && { all: true, status: 'resolved' }), text: filter.trim(), limit: shownMost },
        { signal },
      ),
    [show],
    everyMs,
  )
  // Of thousands only the first come: what is looked for is looked for where all of them are.
  useEffect(() => {
    if (alerts.data) alerts.reload()
  }, [filter])
  useNews(['alert.', 'silence.', 'incident.'], alerts.reload)
  const wanted = (alert: Alert): boolean => (show === 'resolved') === (alert.status === 'resolved') && isAbout(alert, filter)
  return (
    <Page
      title="Alerts"
      actions={
        <ActionButton permission="change:alerts" onClick={() => silence('', alerts.reload)}>
          New silence
        </ActionButton>
      }
    >
      <div>
        <Tabs tabs={alertTabs} current="/alerts" />
        <div class="row">
          <Segments
            label="Which"
            value={show}
            options={[
              ['firing', 'Firing'],
              ['pending', 'Pending'],
              ['resolved', 'Resolved'],
            ]}
            onChange={(value) => setQuery({ show: value === 'firing' ? undefined : value })}
          />
          <input
            type="search"
            aria-label="Filter by text or label"
            placeholder="Filter by text or label"
            value={filter}
            onInput={(event) => setQuery({ filter: event.currentTarget.value })}
          />
        </div>
      </div>
      {show === 'pending' ? (
        <Pending filter={filter} />
      ) : (
        <Loaded of={alerts} height={240}>
          {(all) => (
            <>
              {all.length >= shownMost && (
                <p class="muted" role="note">
                  {show === 'firing' && filter === ''
                    ? `The gravest ${shownMost} of ${count(firingAlerts.value)} are shown`
                    : `The gravest ${shownMost} are shown`}
                  : look for the others by a word or a label.
                </p>
              )}
              <Groups alerts={all.filter(wanted)} show={show} filtered={filter !== ''} reload={alerts.reload} />
            </>
          )}
        </Loaded>
      )}
    </Page>
  )
}

/** Beside the entry of the navigation: how many fire that nobody has taken up or silenced. */
export const FiringCount = () =>
  openAlerts.value === 0 ? null : (
    <span class="nav-count">
      <Badge tone="bad">
        {count(openAlerts.value)}
        <span class="visually-hidden"> firing</span>
      </Badge>
    </span>
  )

const isAbout = ({ title, message, labels }: Pick<Alert, 'title' | 'message' | 'labels'>, filter: string): boolean => {
  const text = [title, message, ...Object.entries(labels).map(([name, value]) => `${name}=${value}`)].join(' ').toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

function Groups({ alerts, show, filtered, reload }: { alerts: readonly Alert[]; show: Show; filtered: boolean; reload: () => void }) {
  if (alerts.length === 0) return <Nothing show={show} filtered={filtered} />
  const found = [...new Set(alerts.map(({ service, labels }) => service ?? labels.check ?? ''))]
  const names = [...found.filter((name) => name !== ''), ...found.filter((name) => name === '')]
  return (
    <>
      {names.map((name) => {
        const members = alerts.filter(({ service, labels }) => (service ?? labels.check ?? '') === name)
        return (
          <Card
            key={name}
            title={name === '' ? 'Everything else' : name}
            beside={<span class="muted small">{plural(members.length, 'alert')}</span>}
            flush
          >
            {members.map((alert) => (
              <Row key={alert.id} alert={alert} reload={reload} />
            ))}
          </Card>
        )
      })}
    </>
  )
}

function Nothing({ show, filtered }: { show: Show; filtered: boolean }) {
  if (filtered) return <EmptyState title="No alert fits the filter" />
  return show === 'firing' ? (
    <EmptyState title="Nothing fires">
      What the <a href={href('/rules')}>rules</a> and <a href={href('/checks')}>checks</a> watch is as it should be.
    </EmptyState>
  ) : (
    <EmptyState title="Nothing was resolved lately" />
  )
}

function Row({ alert, reload }: { alert: Alert; reload: () => void }) {
  const { id, title, message, labels, annotations, startsAt, endsAt, status } = alert
  return (
    <article class="alert-row" aria-label={title}>
      <div class="main-part">
        <div class="row">
          <AlertState {...alert} />
          <a href={href(`/alerts/${id}`)}>
            <strong>
              <bdi>{title}</bdi>
            </strong>
          </a>
          <Standing alert={alert} />
          <span class="muted small">
            {status === 'resolved' ? (
              <>
                over since <Time at={endsAt} />
              </>
            ) : (
              <>
                for <Ago at={startsAt} />
              </>
            )}
          </span>
        </div>
        <p class="break">{message}</p>
        {annotations.impact !== undefined && <p class="muted break">{annotations.impact}</p>}
        <LabelList labels={labels} without={['alertname', 'severity']} />
      </div>
      <div class="actions">
        {status !== 'resolved' && (
          <>
            <AckButton alert={alert} done={reload} />
            <SilenceButton alert={alert} done={reload} />
          </>
        )}
      </div>
    </article>
  )
}

/** Conditions that hold, but not for as long as their rule says. */
function Pending({ filter }: { filter: string }) {
  const rules = useLoad((signal) => get<readonly AlertRule[]>('/alerts/rules', undefined, { signal }), [], everyMs)
  useNews(['alert.'], rules.reload)
  return (
    <Loaded of={rules} height={240}>
      {(all) => {
        const pending = all
          .flatMap((rule) => rule.alerts.filter(({ phase }) => phase === 'pending').map((alert) => ({ rule, alert })))
          .filter(({ rule, alert }) => isAbout({ title: rule.name, message: rule.when, labels: alert.labels }, filter))
        if (pending.length === 0)
          return <EmptyState title="Nothing is pending">No condition of a rule holds that has not held long enough to fire.</EmptyState>
        return (
          <Card flush>
            {pending.map(({ rule, alert }) => (
              <article class="alert-row" key={`${rule.name} ${JSON.stringify(alert.labels)}`}>
                <div class="main-part">
                  <div class="row">
                    <Status tone={severityTones[rule.severity]}>{rule.severity}</Status>
                    <strong>{rule.name}</strong>
                    <Badge>pending</Badge>
                    <span class="muted small">
                      for <Ago at={alert.since} />, fires <Time at={alert.since + rule.forMs} />
                    </span>
                  </div>
                  <p class="break">
                    <code>{rule.when}</code>, now {alert.value}
                  </p>
                  <LabelList labels={alert.labels} without={['alertname', 'severity']} />
                </div>
              </article>
            ))}
          </Card>
        )
      }}
    </Loaded>
  )
}
