/** The machine that this control process runs on, and the processes of Holdfast on it. */
import type { InstanceStatus } from '../../../src/registry/types.ts'
import { bytes, count, percent, plural } from '../lib/format.ts'
import { services, system, tables } from '../lib/live.ts'
import { href } from '../lib/router.ts'
import { Chart, SpanPicker } from '../ui/chart.tsx'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { Phase, Status } from '../ui/status.tsx'
import { Table, type Column } from '../ui/table.tsx'
import { Ago } from '../ui/time.tsx'
import { serviceHref } from './parts/service-table.tsx'

const columns: readonly Column<InstanceStatus>[] = [
  { key: 'id', label: 'Instance', sort: ({ id }) => id, width: 190, cell: ({ id }) => <span class="mono break">{id}</span> },
  {
    key: 'service',
    label: 'Service',
    hide: 'narrow',
    sort: ({ service }) => service,
    cell: ({ service }) => <a href={href(serviceHref(service))}>{service}</a>,
  },
  { key: 'phase', label: 'Phase', width: 130, sort: ({ phase }) => phase, cell: ({ phase, reason }) => <Phase phase={phase} reason={reason} /> },
  { key: 'pid', label: 'Pid', num: true, hide: 'narrow', sort: ({ pid }) => pid, cell: ({ pid }) => pid ?? '–' },
  { key: 'cpu', label: 'CPU', num: true, sort: ({ resources }) => resources?.cpuPercent, cell: ({ resources }) => percent(resources?.cpuPercent) },
  {
    key: 'memory',
    label: 'Memory',
    num: true,
    sort: ({ resources }) => resources?.memoryBytes,
    cell: ({ resources }) => bytes(resources?.memoryBytes),
  },
]

export function NodePage() {
  const { name, region, pid, startedAt, proxyPid, proxyStartedAt, proxyConnected = false, version } = system.value ?? {}
  const workers = tables.workers.all()
  return (
    <Page title="Node" beside={<span class="muted">{region}</span>} actions={<SpanPicker />}>
      <div class="columns three">
        <Chart title="CPU" unit="percent" top={100} lines={[{ metric: 'machine_cpu', name: 'all cores' }]} />
        <Chart title="Memory" unit="percent" top={100} lines={[{ metric: 'machine_memory', name: 'in use' }]} />
        <Chart title="Disk of the data directory" unit="percent" top={100} lines={[{ metric: 'machine_disk', name: 'in use' }]} />
        <Chart title="Load by core" unit="decimal" lines={[{ metric: 'machine_load', name: 'load' }]} />
        <Chart
          title="Network"
          unit="bytesPerSecond"
          lines={[
            { metric: 'machine_network_in', name: 'in' },
            { metric: 'machine_network_out', name: 'out' },
          ]}
        />
        <Chart title="TCP connections" unit="count" lines={[{ metric: 'machine_connections', name: 'connections' }]} />
      </div>
      <div class="columns">
        <Card title="Control process">
          <dl class="facts">
            <dt>Name</dt>
            <dd>{name}</dd>
            <dt>Version</dt>
            <dd>{version}</dd>
            <dt>Process</dt>
            <dd>pid {pid}</dd>
            <dt>Up for</dt>
            <dd>
              <Ago at={startedAt} />
            </dd>
          </dl>
        </Card>
        <Card title="Balancer" beside={<Status tone={proxyConnected ? 'ok' : 'warn'}>{proxyConnected ? 'connected' : 'not connected'}</Status>}>
          <dl class="facts">
            <dt>Primary</dt>
            <dd>
              pid {proxyPid}, up for <Ago at={proxyStartedAt} />
            </dd>
            {workers.map((worker) => (
              <>
                <dt key={worker.pid}>Worker</dt>
                <dd>
                  pid {worker.pid}, {plural(worker.connections, 'connection')}, {bytes(worker.memoryBytes)}
                </dd>
              </>
            ))}
          </dl>
        </Card>
        <Chart title="Event-loop lag of the control process" unit="ms" lines={[{ metric: 'control_lag', name: 'p99' }]} />
        <Chart title="CPU of the control process" unit="percent" lines={[{ metric: 'control_cpu', name: 'of one core' }]} />
      </div>
      <Card title="Instances on it" flush beside={<span class="muted small">{count(services.value.length)} services</span>}>
        <Table
          label="Instances"
          ids={tables.instances.ids.value}
          item={(id) => tables.instances.get(id)}
          peek={(id) => tables.instances.peek(id)}
          columns={columns}
          sortBy={['id', 'up']}
          empty={<EmptyState title="No instances">No process of a service runs here.</EmptyState>}
        />
      </Card>
    </Page>
  )
}
