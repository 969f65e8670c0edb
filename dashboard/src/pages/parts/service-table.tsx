/** All services as a table: the same on the overview and on their own page. */
import type { ServiceStatus } from '../../../../src/registry/types.ts'
import { count, milliseconds, rate, share } from '../../lib/format.ts'
import { tables } from '../../lib/live.ts'
import { go, href } from '../../lib/router.ts'
import { Spark } from '../../ui/spark.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { ServiceHealth } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'

type Service = Omit<ServiceStatus, 'instances' | 'endpoints'>
export const serviceHref = (name: string): string => `/services/${encodeURIComponent(name)}`

const grave = { unhealthy: 0, degraded: 1, starting: 2, maintenance: 3, healthy: 4 } as const

const columns: readonly Column<Service>[] = [
  {
    key: 'name',
    label: 'Service',
    sort: ({ name }) => name,
    cell: ({ name, reason, health }) => (
      <>
        <a href={href(serviceHref(name))}>
          <strong>{name}</strong>
        </a>
        {reason !== undefined && health !== 'healthy' && <span class="sub break">{reason}</span>}
      </>
    ),
  },
  {
    key: 'health',
    label: 'Health',
    sort: ({ health }) => grave[health],
    cell: ({ health, reason }) => <ServiceHealth health={health} reason={reason} />,
  },
  {
    key: 'ready',
    label: 'Ready',
    num: true,
    sort: ({ ready }) => ready,
    cell: ({ ready, desired }) => (
      <span class={ready < desired ? 'status warn' : ''}>
        {count(ready)}/{count(desired)}
      </span>
    ),
  },
  {
    key: 'version',
    label: 'Version',
    hide: 'medium',
    sort: ({ version }) => version,
    cell: ({ version }) => version ?? <span class="muted">–</span>,
  },
  { key: 'trend', label: '', hide: 'narrow', width: 112, cell: ({ name }) => <Spark of={`service:rate:${name}`} /> },
  { key: 'rate', label: 'Requests/s', num: true, sort: ({ traffic }) => traffic.requestRate, cell: ({ traffic }) => rate(traffic.requestRate) },
  {
    key: 'errors',
    label: 'Errors',
    num: true,
    sort: ({ traffic }) => traffic.errorRate,
    cell: ({ traffic }) => (
      <span class={traffic.errorRate >= 0.05 ? 'status bad' : traffic.errorRate >= 0.01 ? 'status warn' : ''}>
        {traffic.requestRate === 0 ? '–' : share(traffic.errorRate)}
      </span>
    ),
  },
  { key: 'p50', label: 'p50', num: true, hide: 'narrow', sort: ({ traffic }) => traffic.p50Ms, cell: ({ traffic }) => milliseconds(traffic.p50Ms) },
  { key: 'p95', label: 'p95', num: true, hide: 'narrow', sort: ({ traffic }) => traffic.p95Ms, cell: ({ traffic }) => milliseconds(traffic.p95Ms) },
  { key: 'p99', label: 'p99', num: true, hide: 'medium', sort: ({ traffic }) => traffic.p99Ms, cell: ({ traffic }) => milliseconds(traffic.p99Ms) },
  {
    key: 'active',
    label: 'In flight',
    num: true,
    hide: 'medium',
    sort: ({ traffic }) => traffic.active,
    cell: ({ traffic }) => count(traffic.active),
  },
]

export function ServiceTable({ filter = '' }: { filter?: string }) {
  const ids = tables.services.ids.value.filter((id) => id.includes(filter))
  return (
    <Table
      label="Services"
      ids={ids}
      item={(id) => tables.services.get(id)}
      peek={(id) => tables.services.peek(id)}
      columns={columns}
      onRow={({ name }) => go(serviceHref(name))}
      empty={
        filter === '' ? (
          <EmptyState title="No services">Services are declared in the configuration file, under services.</EmptyState>
        ) : (
          <EmptyState title="No service has that in its name" />
        )
      }
    />
  )
}
