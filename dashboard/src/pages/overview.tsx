/** Whether all is well, in one look; and if not, what is wrong and since when. */
import { computed } from '@preact/signals'
import { bytes, count, duration, milliseconds, plural, rate, share } from '../lib/format.ts'
import { at, firingAlerts, openAlerts, services, system, tables } from '../lib/live.ts'
import { href } from '../lib/router.ts'
import { Chart, SpanPicker } from '../ui/chart.tsx'
import { Card, Page, Tile } from '../ui/page.tsx'
import { SystemHealth } from '../ui/status.tsx'
import { EventFeed } from './parts/event-feed.tsx'
import { ServiceTable } from './parts/service-table.tsx'
import { Trouble } from './parts/trouble.tsx'

const sums = computed(() => {
  const all = services.value
  const sum = (of: (service: (typeof all)[number]) => number): number => all.reduce((total, service) => total + of(service), 0)
  const requestRate = sum(({ traffic }) => traffic.requestRate)
  return {
    requestRate,
    errorRate: requestRate > 0 ? sum(({ traffic }) => traffic.requestRate * traffic.errorRate) / requestRate : undefined,
    active: sum(({ traffic }) => traffic.active),
    waiting: sum(({ traffic }) => traffic.parked + traffic.queued),
    ready: sum(({ ready }) => ready),
    desired: sum(({ desired }) => desired),
    unwell: all.filter(({ health }) => health === 'unhealthy' || health === 'degraded').length,
  }
})

/** The slowest service decides: quantiles of several services cannot be added up. */
function slowest(of: 'p50Ms' | 'p95Ms' | 'p99Ms'): { readonly ms: number | undefined; readonly service: string } {
  let found: { ms: number | undefined; service: string } = { ms: undefined, service: '' }
  for (const { name, traffic } of services.value) {
    const ms = traffic[of]
    if (ms !== undefined && (found.ms === undefined || ms > found.ms)) found = { ms, service: name }
  }
  return found
}

const requests = [{ metric: 'request_rate', agg: 'sum', name: 'all services' }] as const
const errors = [{ metric: 'error_rate', by: 'service', agg: 'max', name: 'service' }] as const
const p95 = [{ metric: 'p95', by: 'service', agg: 'max', name: 'service' }] as const

export function Overview() {
  const now = system.value
  const { unwell } = sums.value
  return (
    <Page title="Overview" beside={now && <SystemHealth status={now.status} />} actions={<SpanPicker />}>
      <Trouble />
      <div class="tiles">
        <Tile
          name="Services"
          value={unwell === 0 ? 'All well' : `${unwell} unwell`}
          tone={unwell === 0 ? undefined : now?.status === 'unhealthy' ? 'bad' : 'warn'}
          note={plural(services.value.length, 'service')}
        />
        <AlertsTile />
        <TrafficTiles />
        <Tile name="RPO · RTO" value="–" note="not measured: no backup configured" />
      </div>
      <div class="columns three">
        <Chart title="Requests per second" unit="rate" lines={requests} />
        <Chart title="Errors" unit="share" lines={errors} area={false} />
        <Chart title="p95" unit="ms" lines={p95} area={false} />
      </div>
      <Card title="Services" flush beside={<a href={href('/services')}>All services</a>}>
        <ServiceTable />
      </Card>
      <div class="columns">
        <Card title="What happened" flush beside={<a href={href('/events')}>All events</a>}>
          <EventFeed limit={10} />
        </Card>
        <BalancerCard />
      </div>
    </Page>
  )
}

function AlertsTile() {
  const { warning = 0, critical = 0, emergency = 0 } = system.value?.alertsFiring ?? {}
  const grave = critical + emergency
  const quiet = firingAlerts.value - openAlerts.value
  return (
    <Tile
      name="Alerts"
      value={count(warning + grave)}
      tone={grave > 0 ? 'bad' : warning > 0 ? 'warn' : undefined}
      note={
        warning + grave === 0
          ? 'none fires'
          : [grave > 0 && `${count(grave)} grave`, warning > 0 && plural(warning, 'warning'), quiet > 0 && `${count(quiet)} taken up or quiet`]
              .filter(Boolean)
              .join(', ')
      }
    />
  )
}

function TrafficTiles() {
  const { requestRate, errorRate, active, waiting, ready, desired } = sums.value
  const [p50, p95, p99] = [slowest('p50Ms'), slowest('p95Ms'), slowest('p99Ms')]
  return (
    <>
      <Tile
        name="Requests"
        value={rate(requestRate)}
        unit="/s"
        note={`${count(active)} in flight${waiting > 0 ? `, ${count(waiting)} waiting` : ''}`}
      />
      <Tile
        name="Errors"
        value={share(errorRate)}
        tone={errorRate === undefined || errorRate < 0.01 ? undefined : errorRate < 0.05 ? 'warn' : 'bad'}
        note="of the last 10 s"
      />
      <Tile name="p50" value={milliseconds(p50.ms)} note={<span class="truncate">{p50.service || 'no requests'}</span>} />
      <Tile name="p95" value={milliseconds(p95.ms)} note={<span class="truncate">{p95.service || 'no requests'}</span>} />
      <Tile name="p99" value={milliseconds(p99.ms)} note={<span class="truncate">{p99.service || 'no requests'}</span>} />
      <Tile name="Ready" value={`${count(ready)} of ${count(desired)}`} tone={ready < desired ? 'warn' : undefined} note="instances and endpoints" />
    </>
  )
}

function BalancerCard() {
  const { proxyConnected = false, proxyPid, proxyStartedAt, connections } = system.value ?? {}
  const workers = tables.workers.all()
  return (
    <Card title="Balancer">
      <dl class="facts">
        <dt>Process</dt>
        <dd>{proxyConnected ? `pid ${proxyPid ?? '–'}, ${plural(workers.length, 'worker')}` : 'not connected: it serves by the last view it has'}</dd>
        <dt>Up for</dt>
        <dd>{duration(proxyStartedAt === undefined ? undefined : at.value - proxyStartedAt)}</dd>
        <dt>Connections</dt>
        <dd>{count(connections)}</dd>
        <dt>Memory</dt>
        <dd>{bytes(workers.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0))}</dd>
        {tables.listeners.all().map(({ name, url }) => (
          <>
            <dt key={name}>Listener {name}</dt>
            <dd>
              <a href={url} rel="noreferrer" target="_blank">
                {url}
              </a>
            </dd>
          </>
        ))}
      </dl>
    </Card>
  )
}
