/** The way of the traffic: listener, service, endpoint; as thick as it is busy, in the colour of how it does. */
import { computed } from '@preact/signals'
import { count, milliseconds, rate, share } from '../lib/format.ts'
import { endpointsOf, recent, second, services, tables, type LiveService } from '../lib/live.ts'
import { href } from '../lib/router.ts'
import { Card, Page } from '../ui/page.tsx'
import { EmptyState } from '../ui/states.tsx'
import { endpointState, ServiceHealth } from '../ui/status.tsx'
import type { Tone } from '../ui/icon.tsx'
import { ListTable, type Column } from '../ui/table.tsx'
import { serviceHref } from './parts/service-table.tsx'

export function TrafficMap() {
  return (
    <Page title="Traffic map" beside={<span class="muted">listener → service → endpoint</span>}>
      <Card flush>
        {services.value.length === 0 ? <EmptyState title="No services">There is nothing that traffic could go to.</EmptyState> : <Graph />}
      </Card>
      <Card title="Routes" flush>
        <Routes />
      </Card>
    </Page>
  )
}

interface Node {
  readonly id: string
  readonly label: string
  readonly note: string
  readonly tone: Tone
  readonly y: number
  readonly height: number
  readonly to?: string
}
interface Edge {
  readonly from: Node
  readonly to: Node
  readonly rate: number
  readonly tone: Tone
}

const columnX = [16, 300, 640] as const
const nodeWidth = [150, 190, 200] as const
const rowPx = 30
const gapPx = 14
const width = 856
/** Endpoints of a service that are drawn one by one; of more, one box says how many. */
const endpointsDrawn = 6

const tones = { healthy: 'ok', degraded: 'warn', unhealthy: 'bad', starting: 'info', maintenance: 'info' } as const

/** Which listeners a service has: `web: GET shop.example.com/api`. */
const listenersOf = ({ routes }: LiveService): readonly string[] => [...new Set(routes.map((route) => route.split(':', 1)[0] ?? ''))]

interface Layout {
  readonly nodes: readonly (readonly [column: number, node: Node])[]
  readonly edges: readonly Edge[]
  readonly needs: readonly (readonly [Node, Node])[]
  readonly height: number
}

/** Where everything is: changes only when services or endpoints come or go or change their state. */
const layout = computed((): Layout => {
  const nodes: [number, Node][] = []
  const edges: Edge[] = []
  const serviceNodes = new Map<string, Node>()
  let y = 16
  for (const service of services.value) {
    const endpoints = endpointNodes(service.name, y)
    const height = Math.max(rowPx + 14, endpoints.length * (rowPx + 4) - 4)
    const node: Node = {
      id: `service ${service.name}`,
      label: service.name,
      note: `${count(service.ready)} of ${count(service.desired)} ready · ${rate(service.traffic.requestRate)}/s`,
      tone: tones[service.health],
      y: y + height / 2 - 22,
      height: 44,
      to: serviceHref(service.name),
    }
    serviceNodes.set(service.name, node)
    nodes.push([1, node], ...endpoints.map((endpoint): [number, Node] => [2, endpoint]))
    for (const endpoint of endpoints) edges.push({ from: node, to: endpoint, rate: 0, tone: endpoint.tone })
    y += height + gapPx
  }
  const listeners = tables.listeners.all()
  for (const [i, { name, url }] of listeners.entries()) {
    const middle = ((i + 0.5) / listeners.length) * y
    const node: Node = { id: `listener ${name}`, label: name, note: url.replace(/^https?:\/\//, ''), tone: 'quiet', y: middle - 22, height: 44 }
    nodes.push([0, node])
    for (const service of services.value) {
      const to = serviceNodes.get(service.name)
      if (to && listenersOf(service).includes(name)) edges.push({ from: node, to, rate: service.traffic.requestRate, tone: tones[service.health] })
    }
  }
  const needs = services.value.flatMap(({ name, dependsOn }) =>
    dependsOn.flatMap((needed) => {
      const [from, to] = [serviceNodes.get(name), serviceNodes.get(needed)]
      return from && to ? [[from, to] as const] : []
    }),
  )
  return { nodes, edges, needs, height: y }
})

function endpointNodes(service: string, top: number): readonly Node[] {
  const ids = endpointsOf(service)
  const step = rowPx + 4
  if (ids.length > endpointsDrawn) {
    const all = ids.flatMap((id) => tables.endpoints.get(id) ?? [])
    const well = all.filter((endpoint) => endpointState(endpoint)[0] === 'ok').length
    const tone: Tone = well === all.length ? 'ok' : well === 0 ? 'bad' : 'warn'
    return [{ id: `endpoints ${service}`, label: `${count(all.length)} endpoints`, note: `${count(well)} healthy`, tone, y: top + 7, height: rowPx }]
  }
  return ids.flatMap((id, i) => {
    const endpoint = tables.endpoints.get(id)
    if (!endpoint) return []
    const [tone, text] = endpointState(endpoint)
    return [
      {
        id: `endpoint ${id}`,
        label: `${endpoint.host}:${endpoint.port}`,
        note: text,
        tone,
        y: top + i * step + (ids.length === 1 ? 7 : 0),
        height: rowPx,
      },
    ]
  })
}

function Graph() {
  const { nodes, edges, needs, height } = layout.value
  const columnOf = new Map(nodes.map(([column, node]) => [node, column]))
  return (
    <div class="map" tabIndex={0} role="group" aria-label="Map of the traffic; the table below says the same">
      <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height}>
        {edges.map((edge) => (
          <EdgeLine key={`${edge.from.id} ${edge.to.id}`} edge={edge} column={columnOf.get(edge.from) ?? 0} />
        ))}
        {needs.map(([from, to]) => (
          <path key={`${from.id} ${to.id}`} class="needs" d={needsPath(from, to)}>
            <title>
              {from.label} needs {to.label}
            </title>
          </path>
        ))}
        {nodes.map(([column, node]) => (
          <Box key={node.id} node={node} column={column} />
        ))}
      </svg>
    </div>
  )
}

/** Requests a second that went along it, of the last seconds. */
function rateOf({ to, rate: known }: Edge): number {
  if (to.id.startsWith('endpoint ')) return recent.ring(`endpoint:rate:${to.id.slice('endpoint '.length)}`).last() || 0
  return known
}

function EdgeLine({ edge, column }: { edge: Edge; column: number }) {
  // Once a second, by itself: the boxes stay as they are.
  second.value.toString()
  const { from, to, tone } = edge
  const [x1, x2] = [columnX[column as 0 | 1] + nodeWidth[column as 0 | 1], columnX[(column + 1) as 1 | 2]]
  const [y1, y2] = [from.y + from.height / 2, to.y + to.height / 2]
  const flow = rateOf(edge)
  const middle = (x1 + x2) / 2
  return (
    <g class={`edge ${tone} ${flow > 0 ? 'flows' : ''}`}>
      <path
        d={`M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`}
        style={{ strokeWidth: `${Math.min(9, 1.25 + Math.log10(1 + flow) * 2.4)}px` }}
      />
    </g>
  )
}

/** Beside the services, from who needs to what is needed. */
function needsPath(from: Node, to: Node): string {
  const x = columnX[1]
  const [y1, y2] = [from.y + from.height / 2 + 8, to.y + to.height / 2 + 8]
  const out = x - 20 - Math.min(40, Math.abs(y2 - y1) / 6)
  return `M${x},${y1} C${out},${y1} ${out},${y2} ${x},${y2}`
}

function Box({ node: { label, note, tone, y, height, to }, column }: { node: Node; column: number }) {
  const x = columnX[column as 0 | 1 | 2]
  const w = nodeWidth[column as 0 | 1 | 2]
  const tall = height > rowPx
  const body = (
    <>
      <rect x={x} y={y} width={w} height={height} rx="6" />
      <rect class="mark" x={x} y={y} width="4" height={height} rx="2" />
      <text x={x + 14} y={tall ? y + 19 : y + height / 2 + 4} class={column === 1 ? 'strong' : ''}>
        {short(label, tall ? 24 : 22)}
      </text>
      <text x={tall ? x + 14 : x + w - 8} y={tall ? y + 34 : y + height / 2 + 4} class="note" text-anchor={tall ? 'start' : 'end'}>
        {short(note, 26)}
      </text>
      <title>{`${label}: ${note}`}</title>
    </>
  )
  return to === undefined ? (
    <g class={`box ${tone}`}>{body}</g>
  ) : (
    <a href={href(to)} class={`box link ${tone}`}>
      {body}
    </a>
  )
}

const short = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text)

interface Way {
  readonly id: string
  readonly route: string
  readonly service: LiveService
}

const columns: readonly Column<Way>[] = [
  { key: 'route', label: 'Route', sort: ({ route }) => route, cell: ({ route }) => <span class="mono break">{route}</span> },
  {
    key: 'service',
    label: 'Service',
    sort: ({ service }) => service.name,
    cell: ({ service }) => <a href={href(serviceHref(service.name))}>{service.name}</a>,
  },
  { key: 'health', label: 'Health', cell: ({ service }) => <ServiceHealth health={service.health} reason={service.reason} /> },
  {
    key: 'rate',
    label: 'Requests/s',
    num: true,
    sort: ({ service }) => service.traffic.requestRate,
    cell: ({ service }) => rate(service.traffic.requestRate),
  },
  {
    key: 'errors',
    label: 'Errors',
    num: true,
    hide: 'narrow',
    cell: ({ service }) => (service.traffic.requestRate === 0 ? '–' : share(service.traffic.errorRate)),
  },
  { key: 'p95', label: 'p95', num: true, hide: 'narrow', cell: ({ service }) => milliseconds(service.traffic.p95Ms) },
]

function Routes() {
  const rows = services.value.flatMap((service) => service.routes.map((route): Way => ({ id: `${service.name} ${route}`, route, service })))
  return (
    <ListTable
      label="Routes"
      rows={rows}
      idOf={({ id }) => id}
      columns={columns}
      empty={<EmptyState title="No routes">No service has a route: none can be reached through the balancer.</EmptyState>}
    />
  )
}
