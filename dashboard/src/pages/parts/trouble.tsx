/** What needs somebody now, above everything else; nothing when all is well. Read aloud is how much there is, not how long it lasts, which changes every second. */
import { Fragment } from 'preact'
import { duration, plural } from '../../lib/format.ts'
import { at, openAlerts, services, system, tables, type LiveAlert } from '../../lib/live.ts'
import { href } from '../../lib/router.ts'
import { Shape } from '../../ui/icon.tsx'
import { Badge } from '../../ui/status.tsx'
import { serviceHref } from './service-table.tsx'

const alertsShown = 4
const gravity = { emergency: 0, critical: 1, warning: 2 } as const

/** Those that are of somebody's concern: neither kept quiet nor taken on. */
const open = ({ quiet, ackedBy }: LiveAlert): boolean => quiet === undefined && ackedBy === undefined

export function Trouble() {
  const alerts = tables.alerts
    .all()
    .filter(open)
    .toSorted((a, b) => gravity[a.severity] - gravity[b.severity] || b.startsAt - a.startsAt)
  const told = new Set(alerts.map(({ labels }) => labels.service))
  const down = services.value.filter(({ name, health }) => health === 'unhealthy' && !told.has(name))
  const disconnected = system.value?.proxyConnected === false
  const expiring = tables.certificates.all()
  const more = openAlerts.value - Math.min(alertsShown, alerts.length)
  if (alerts.length === 0 && down.length === 0 && !disconnected && expiring.length === 0) return null
  return (
    <div class="stack tight">
      <p class="visually-hidden" role="status">
        {[openAlerts.value > 0 && `${plural(openAlerts.value, 'alert')} open`, ...down.map(({ name }) => `${name} serves nobody`)]
          .filter(Boolean)
          .join(', ')}
      </p>
      {alerts.slice(0, alertsShown).map((alert) => (
        <AlertNotice key={alert.id} alert={alert} />
      ))}
      {alerts.length > 0 && more > 0 && (
        <p class="small">
          <a href={href('/alerts')}>{plural(more, 'more alert')}</a>
        </p>
      )}
      {down.map(({ name, reason }) => (
        <div class="notice bad" key={name}>
          <Mark tone="bad" />
          <div class="break">
            <a href={href(serviceHref(name))}>
              <strong>{name}</strong>
            </a>{' '}
            serves nobody{reason === undefined ? '' : `: ${reason}`}
          </div>
        </div>
      ))}
      {disconnected && (
        <div class="notice warn">
          <Mark tone="warn" />
          The balancer is not connected to the control process. It serves by the last view it has; changes reach it when it is back.
        </div>
      )}
      {expiring.map(({ file, hosts, expiresAt }) => (
        <Fragment key={file}>
          <div class="notice warn">
            <Mark tone="warn" />
            The certificate for {hosts.join(', ')} {expiresAt < at.value ? 'has expired' : `expires in ${duration(expiresAt - at.value)}`}.
          </div>
        </Fragment>
      ))}
    </div>
  )
}

const Mark = ({ tone }: { tone: 'warn' | 'bad' }) => (
  <span class={`status ${tone} mark`}>
    <Shape tone={tone} />
  </span>
)

function AlertNotice({ alert: { id, severity, labels, summary, startsAt } }: { alert: LiveAlert }) {
  const tone = severity === 'warning' ? 'warn' : 'bad'
  return (
    <div class={`notice ${tone}`}>
      <Mark tone={tone} />
      <div class="break">
        <a href={href(`/alerts/${id}`)}>
          <strong>
            <bdi>{labels.alertname}</bdi>
          </strong>
        </a>{' '}
        <Badge tone={tone}>{severity}</Badge> <bdi>{summary ?? labels.service}</bdi>{' '}
        <span class="muted small">for {duration(at.value - startsAt)}</span>
      </div>
    </div>
  )
}
