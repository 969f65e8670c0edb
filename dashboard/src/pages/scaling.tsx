/** How many instances there are, why, and what has changed that. */
import type { ScalingEvent } from '../../../src/api/types.ts'
import { useEffect } from 'preact/hooks'
import { get } from '../lib/api.ts'
import { count, percent, rate } from '../lib/format.ts'
import { instancesOf, newEvents, services, tables, type LiveService } from '../lib/live.ts'
import { href } from '../lib/router.ts'
import { useLoad } from '../lib/use-load.ts'
import { ActionButton } from '../ui/confirm.tsx'
import { Loaded } from '../ui/loaded.tsx'
import { Card, Page } from '../ui/page.tsx'
import { Spark } from '../ui/spark.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Badge, ServiceHealth } from '../ui/status.tsx'
import { ListTable, Table, type Column } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { scale } from './parts/service-actions.tsx'
import { serviceHref } from './parts/service-table.tsx'

const eventColumns: readonly Column<ScalingEvent>[] = [
  { key: 'time', label: 'When', sort: ({ timestamp }) => Date.parse(timestamp), cell: ({ timestamp }) => <Time at={timestamp} /> },
  { key: 'service', label: 'Service', sort: ({ service }) => service, cell: ({ service }) => <a href={href(serviceHref(service))}>{service}</a> },
  {
    key: 'change',
    label: 'Instances',
    num: true,
    cell: ({ from, to }) => (
      <span class="nowrap">
        {count(from)} → <strong>{count(to)}</strong>
      </span>
    ),
  },
  {
    key: 'trigger',
    label: 'By',
    hide: 'narrow',
    cell: ({ trigger, success }) => <Badge tone={success ? 'quiet' : 'bad'}>{success ? trigger : 'failed'}</Badge>,
  },
  { key: 'reason', label: 'Why', cell: ({ reason }) => <span class="break">{reason}</span> },
]

/** Of one core, by the instances that run. */
function meanCpu(service: string): number | undefined {
  const known = instancesOf(service).flatMap((id) => tables.instances.get(id)?.resources?.cpuPercent ?? [])
  return known.length === 0 ? undefined : known.reduce((sum, cpu) => sum + cpu, 0) / known.length
}

const Cpu = ({ service }: { service: string }) => <>{percent(meanCpu(service))}</>

const serviceColumns: readonly Column<LiveService>[] = [
  {
    key: 'name',
    label: 'Service',
    sort: ({ name }) => name,
    cell: ({ name }) => (
      <a href={href(serviceHref(name))}>
        <strong>{name}</strong>
      </a>
    ),
  },
  { key: 'health', label: 'Health', hide: 'narrow', cell: ({ health, reason }) => <ServiceHealth health={health} reason={reason} /> },
  { key: 'desired', label: 'Wanted', num: true, sort: ({ desired }) => desired, cell: ({ desired }) => count(desired) },
  {
    key: 'ready',
    label: 'Ready',
    num: true,
    sort: ({ ready }) => ready,
    cell: ({ ready, desired }) => <span class={ready < desired ? 'status warn' : ''}>{count(ready)}</span>,
  },
  { key: 'trend', label: '', hide: 'narrow', width: 112, cell: ({ name }) => <Spark of={`service:rate:${name}`} /> },
  {
    key: 'rate',
    label: 'Requests/s each',
    num: true,
    hide: 'narrow',
    cell: ({ traffic, ready }) => rate(ready === 0 ? undefined : traffic.requestRate / ready),
  },
  { key: 'active', label: 'In flight', num: true, hide: 'narrow', cell: ({ traffic }) => count(traffic.active) },
  { key: 'cpu', label: 'Mean CPU', num: true, cell: ({ name }) => <Cpu service={name} /> },
  {
    key: 'actions',
    label: '',
    cell: (service) => (
      <div class="right">
        <ActionButton permission="scale:service" kind="tiny" onClick={() => scale(service)}>
          Scale
        </ActionButton>
      </div>
    ),
  },
]

export function Scaling() {
  const events = useLoad((signal) => get<readonly ScalingEvent[]>('/scaling/events', { limit: 200 }, { signal }), [])
  const scaled = newEvents.value.some(({ type }) => type === 'service.scaled')
  useEffect(() => {
    if (scaled) events.reload()
  }, [newEvents.value])
  const ours = services.value.filter(({ kind }) => kind === 'process').map(({ name }) => name)
  return (
    <Page title="Scaling">
      <Card title="Services that can be scaled" flush>
        <Table
          label="Services that can be scaled"
          ids={ours}
          item={(name) => tables.services.get(name)}
          peek={(name) => tables.services.peek(name)}
          columns={serviceColumns}
          empty={<EmptyState title="Nothing that can be scaled">All services have endpoints that are run by somebody else.</EmptyState>}
        />
      </Card>
      <Card title="What was scaled" flush>
        <Loaded of={events} height={160}>
          {(rows) => (
            <ListTable
              label="What was scaled"
              rows={rows}
              idOf={({ id }) => id}
              columns={eventColumns}
              empty={<EmptyState title="Nothing has been scaled">The number of instances is what the configuration says.</EmptyState>}
            />
          )}
        </Loaded>
      </Card>
    </Page>
  )
}
