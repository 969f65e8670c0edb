/** One service: how it does, its instances, what it prints, and what may be done with it. */
import { tables } from '../lib/live.ts'
import { count, milliseconds, rate, share } from '../lib/format.ts'
import { Chart, SpanPicker } from '../ui/chart.tsx'
import { Card, Page, Tabs, Tile } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, ServiceHealth } from '../ui/status.tsx'
import { EventFeed } from './parts/event-feed.tsx'
import { Endpoints, Instances } from './parts/instance-table.tsx'
import { LogTail } from './parts/log-tail.tsx'
import { ServiceActions } from './parts/service-actions.tsx'
import { serviceHref } from './parts/service-table.tsx'

export function ServicePage({ name, part = '' }: { name: string; part?: string }) {
  const service = tables.services.get(name)
  if (!service) {
    return (
      <Page title={name} under={['/services', 'Services']}>
        <EmptyState title="There is no such service">It may have been taken out of the configuration.</EmptyState>
      </Page>
    )
  }
  const { health, reason, version, traffic, ready, desired, routes, dependsOn, kind, revision } = service
  const base = serviceHref(name)
  return (
    <Page
      title={name}
      under={['/services', 'Services']}
      beside={
        <>
          <ServiceHealth health={health} />
          {version !== undefined && <Badge>{version}</Badge>}
        </>
      }
      actions={<ServiceActions service={service} />}
    >
      {reason !== undefined && health !== 'healthy' && (
        <div class={`notice ${health === 'unhealthy' ? 'bad' : health === 'degraded' ? 'warn' : 'info'} break`}>{reason}</div>
      )}
      <div class="tiles">
        <Tile
          name="Ready"
          value={`${count(ready)} of ${count(desired)}`}
          tone={ready < desired ? 'warn' : undefined}
          note={kind === 'process' ? 'instances' : 'endpoints'}
        />
        <Tile name="Requests" value={rate(traffic.requestRate)} unit="/s" note={`${count(traffic.requests)} in all`} />
        <Tile
          name="Errors"
          value={traffic.requestRate === 0 ? '–' : share(traffic.errorRate)}
          tone={traffic.errorRate >= 0.05 ? 'bad' : traffic.errorRate >= 0.01 ? 'warn' : undefined}
          note={`${count(traffic.errors)} in all`}
        />
        <Tile name="p50" value={milliseconds(traffic.p50Ms)} note="of the last 10 s" />
        <Tile name="p95" value={milliseconds(traffic.p95Ms)} note="of the last 10 s" />
        <Tile name="p99" value={milliseconds(traffic.p99Ms)} note="of the last 10 s" />
        <Tile name="In flight" value={count(traffic.active)} note={`${count(traffic.parked)} parked, ${count(traffic.queued)} queued`} />
      </div>
      <div>
        <Tabs
          current={part === '' ? base : `${base}/${part}`}
          tabs={[
            [base, 'Now'],
            [`${base}/logs`, 'Logs'],
            [`${base}/events`, 'Events'],
            [`${base}/about`, 'About'],
          ]}
        />
        {part === '' && (
          <div class="stack">
            <TrafficCharts name={name} />
            {kind === 'process' && (
              <Card title="Instances" flush>
                <Instances service={name} />
              </Card>
            )}
            <Card title="Endpoints" flush>
              <Endpoints service={name} />
            </Card>
            {kind === 'process' && <ResourceCharts name={name} />}
          </div>
        )}
        {part === 'logs' && <LogTail service={name} />}
        {part === 'events' && (
          <Card flush>
            <EventFeed limit={50} service={name} />
          </Card>
        )}
        {part === 'about' && (
          <Card>
            <dl class="facts">
              <dt>Routes</dt>
              <dd>
                {routes.length === 0
                  ? 'none'
                  : routes.map((route) => (
                      <div key={route} class="mono">
                        {route}
                      </div>
                    ))}
              </dd>
              <dt>Needs</dt>
              <dd>{dependsOn.length === 0 ? 'nothing that is declared' : dependsOn.join(', ')}</dd>
              <dt>Revision</dt>
              <dd>{revision}</dd>
              <dt>Kind</dt>
              <dd>{kind === 'process' ? 'processes of this machine' : 'endpoints run by somebody else'}</dd>
              <dt>Sent again</dt>
              <dd>{count(traffic.retried)} requests</dd>
              <dt>Parked</dt>
              <dd>
                {count(traffic.parkedTotal)} requests, {count(traffic.shed)} of them refused or timed out
              </dd>
              <dt>Refused</dt>
              <dd>{count(traffic.limited)} by the rate limit</dd>
              <dt>Fallback</dt>
              <dd>{count(traffic.fallbacks)} answers</dd>
            </dl>
          </Card>
        )}
      </div>
    </Page>
  )
}

function TrafficCharts({ name }: { name: string }) {
  const of = { service: name }
  return (
    <>
      <div class="row">
        <span class="muted small">Charts of the last</span>
        <SpanPicker />
      </div>
      <div class="columns three">
        <Chart title="Requests per second" unit="rate" lines={[{ metric: 'request_rate', of, name: 'requests' }]} />
        <Chart title="Errors" unit="share" lines={[{ metric: 'error_rate', of, name: 'errors' }]} />
        <Chart
          title="Response time"
          unit="ms"
          lines={[
            { metric: 'p50', of, name: 'p50' },
            { metric: 'p95', of, name: 'p95' },
            { metric: 'p99', of, name: 'p99' },
          ]}
        />
      </div>
    </>
  )
}

function ResourceCharts({ name }: { name: string }) {
  const of = { service: name }
  return (
    <div class="columns three">
      <Chart title="CPU by instance" unit="percent" lines={[{ metric: 'instance_cpu', of, by: 'instance', name: 'instance' }]} area={false} />
      <Chart title="Memory by instance" unit="bytes" lines={[{ metric: 'instance_memory', of, by: 'instance', name: 'instance' }]} area={false} />
      <Chart
        title="Ready"
        unit="count"
        lines={[
          { metric: 'ready', of, name: 'ready' },
          { metric: 'desired', of, name: 'wanted' },
        ]}
      />
    </div>
  )
}
