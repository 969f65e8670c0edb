/** The instances and endpoints of a service, live. */
import type { EndpointStatus, InstanceStatus } from '../../../../src/registry/types.ts'
import { bytes, count, milliseconds, none, percent } from '../../lib/format.ts'
import { endpointsOf, instancesOf, tables } from '../../lib/live.ts'
import { put } from '../../lib/api.ts'
import { ActionButton, confirm } from '../../ui/confirm.tsx'
import { Spark } from '../../ui/spark.tsx'
import { EmptyState } from '../../ui/states.tsx'
import { Badge, endpointState, Phase, Status } from '../../ui/status.tsx'
import { Table, type Column } from '../../ui/table.tsx'
import { Ago } from '../../ui/time.tsx'

const instanceColumns: readonly Column<InstanceStatus>[] = [
  { key: 'id', label: 'Instance', sort: ({ id }) => id, width: 190, cell: ({ id }) => <span class="mono break">{id}</span> },
  {
    key: 'phase',
    label: 'Phase',
    sort: ({ phase }) => phase,
    width: 130,
    cell: ({ phase, reason, lastExit }) => <Phase phase={phase} reason={reason ?? lastExit?.reason} />,
  },
  { key: 'pid', label: 'Pid', num: true, hide: 'narrow', sort: ({ pid }) => pid, cell: ({ pid }) => pid ?? none },
  { key: 'port', label: 'Port', num: true, hide: 'medium', sort: ({ port }) => port, cell: ({ port }) => port },
  { key: 'cpuTrend', label: '', hide: 'narrow', width: 112, cell: ({ id }) => <Spark of={`instance:cpu:${id}`} least={10} /> },
  { key: 'cpu', label: 'CPU', num: true, sort: ({ resources }) => resources?.cpuPercent, cell: ({ resources }) => percent(resources?.cpuPercent) },
  { key: 'memoryTrend', label: '', hide: 'medium', width: 112, cell: ({ id }) => <Spark of={`instance:memory:${id}`} least={64 * 1_048_576} /> },
  {
    key: 'memory',
    label: 'Memory',
    num: true,
    sort: ({ resources }) => resources?.memoryBytes,
    cell: ({ resources }) => bytes(resources?.memoryBytes),
  },
  {
    key: 'restarts',
    label: 'Restarts',
    num: true,
    hide: 'narrow',
    sort: ({ restarts }) => restarts,
    cell: ({ restarts }) => <span class={restarts > 0 ? 'status warn' : ''}>{count(restarts)}</span>,
  },
  {
    key: 'up',
    label: 'Up for',
    num: true,
    hide: 'narrow',
    sort: ({ startedAt }) => startedAt,
    cell: ({ startedAt, pid }) => <Ago at={pid === undefined ? undefined : startedAt} />,
  },
]

export const Instances = ({ service }: { service: string }) => (
  <Table
    label={`Instances of ${service}`}
    ids={instancesOf(service)}
    item={(id) => tables.instances.get(id)}
    peek={(id) => tables.instances.peek(id)}
    columns={instanceColumns}
    empty={<EmptyState title="No instances">It is scaled to 0, or none has been started yet.</EmptyState>}
  />
)

const keyOf = ({ service, id }: EndpointStatus): string => `${service}/${id}`

const endpointColumns: readonly Column<EndpointStatus>[] = [
  {
    key: 'id',
    label: 'Endpoint',
    width: 190,
    sort: ({ host, port }) => `${host}:${port}`,
    cell: ({ host, port }) => <span class="mono nowrap">{`${host}:${port}`}</span>,
  },
  {
    key: 'state',
    label: 'State',
    width: 130,
    sort: (endpoint) => endpointState(endpoint)[1],
    cell: (endpoint) => {
      const [tone, text] = endpointState(endpoint)
      return (
        <Status tone={tone} title={endpoint.reason ?? endpoint.ejected}>
          {text}
        </Status>
      )
    },
  },
  { key: 'trend', label: '', hide: 'narrow', width: 112, cell: (endpoint) => <Spark of={`endpoint:rate:${keyOf(endpoint)}`} /> },
  {
    key: 'requests',
    label: 'Requests',
    num: true,
    hide: 'narrow',
    sort: ({ traffic }) => traffic.requests,
    cell: ({ traffic }) => count(traffic.requests),
  },
  {
    key: 'errors',
    label: 'Errors',
    num: true,
    sort: ({ traffic }) => traffic.errors,
    cell: ({ traffic }) => <span class={traffic.errors > 0 ? 'status warn' : ''}>{count(traffic.errors)}</span>,
  },
  {
    key: 'active',
    label: 'In flight',
    num: true,
    hide: 'narrow',
    sort: ({ traffic }) => traffic.active,
    cell: ({ traffic }) => count(traffic.active),
  },
  {
    key: 'time',
    label: 'First byte',
    num: true,
    hide: 'narrow',
    sort: ({ traffic }) => traffic.responseTimeMs,
    cell: ({ traffic }) => milliseconds(traffic.responseTimeMs),
  },
  {
    key: 'weight',
    label: 'Weight',
    num: true,
    hide: 'narrow',
    sort: ({ effectiveWeight }) => effectiveWeight,
    cell: ({ effectiveWeight, weightReasons = [] }) => (
      <span title={weightReasons.map(({ why }) => why).join('\n') || undefined}>
        {effectiveWeight === undefined ? none : Math.round(effectiveWeight)}
      </span>
    ),
  },
  {
    key: 'lag',
    label: 'Loop lag',
    num: true,
    hide: 'medium',
    sort: ({ reported }) => reported?.lagMs,
    cell: ({ reported }) => milliseconds(reported?.lagMs),
  },
  {
    key: 'role',
    label: 'Role',
    hide: 'medium',
    cell: ({ role, version }) => (role !== undefined ? <Badge>{role}</Badge> : (version ?? <span class="muted">{none}</span>)),
  },
  { key: 'actions', label: '', width: 110, num: true, cell: (endpoint) => <MaintenanceButton endpoint={endpoint} /> },
]

function MaintenanceButton({ endpoint: { id, host, port, service, state } }: { endpoint: EndpointStatus }) {
  const on = state !== 'maintenance'
  const ask = (): void =>
    confirm({
      title: `${on ? 'Take' : 'Put'} ${host}:${port} ${on ? 'out of' : 'back into'} the traffic`,
      consequence: on
        ? `${service} sends it no new requests; those under way are finished. The others take its part. It stays out until it is put back, also after a restart.`
        : `It gets its part of the requests of ${service} again.`,
      action: on ? 'Take it out' : 'Put it back',
      run: async () => {
        await put('/maintenance', { endpoint: id, enabled: on })
        return `${host}:${port} is ${on ? 'out of' : 'back in'} the traffic`
      },
    })
  return (
    <ActionButton permission="maintain:service" kind="tiny" onClick={ask}>
      {on ? 'Take out' : 'Put back'}
    </ActionButton>
  )
}

export const Endpoints = ({ service }: { service: string }) => (
  <Table
    label={`Endpoints of ${service}`}
    ids={endpointsOf(service)}
    item={(id) => tables.endpoints.get(id)}
    peek={(id) => tables.endpoints.peek(id)}
    columns={endpointColumns}
    empty={<EmptyState title="No endpoints">Nothing of it can take traffic. It has no instance, or none is ready yet.</EmptyState>}
  />
)
