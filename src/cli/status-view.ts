/** `holdfast status` as text: what is asked first stands first, and all of it fits the terminal. */
import type { Overview } from '../app/operations.ts'
import { scaledToZero } from '../app/service-status.ts'
import type { EndpointStatus, InstanceStatus, ServiceStatus } from '../registry/types.ts'
import { formatAge, formatCount, formatMs, formatRate, formatShare, formatSize, nothing, plural, toneOfHealth, toneOfPhase } from './format.ts'
import { fit } from './live.ts'
import { printable, type Paint } from './style.ts'
import { renderTable, type Column } from './table.ts'
import { hang } from './wrap.ts'

export interface StatusView {
  readonly columns: number
  readonly paint: Paint
  /** Wall time in milliseconds, to tell ages. */
  readonly now: number
}

export function renderStatus(overview: Overview, view: StatusView): string {
  const instances = overview.services.flatMap((service) => service.instances)
  const outOfTraffic = new Set(overview.services.flatMap(instancesInMaintenance))
  const endpoints = overview.services.filter((service) => service.kind === 'static').flatMap((service) => service.endpoints)
  const blocks = [
    headline(overview, view),
    serviceTable(overview.services, view),
    instances.length > 0 ? instanceTable(instances, outOfTraffic, whyLessOfInstances(overview.services), view) : '',
    endpoints.length > 0 ? endpointTable(endpoints, view) : '',
  ]
  return blocks.filter((block) => block !== '').join('\n\n')
}

function headline(overview: Overview, { paint, columns, now }: StatusView): string {
  const status = statusOf(overview)
  const health = paint(toneOfHealth[status], status)
  const age = formatAge(overview.uptime * 1_000)
  const lines = [`${paint('bold', overview.name)} (${overview.region}) is ${health}, up ${age}, holdfast ${overview.version}, pid ${overview.pid}`]
  for (const { name, url } of overview.listeners) lines.push(`listener ${name}: ${url}`)
  const { proxy } = overview
  if (!overview.proxyConnected) lines.push(paint('red', 'proxy: not connected'))
  else if (proxy) lines.push(`proxy: pid ${proxy.pid}, ${workersOf(proxy)}`)
  lines.push(...troublesOf(overview, now).map((trouble) => paint('yellow', trouble)))
  return lines.map((line) => fit(line, columns)).join('\n')
}

/** What concerns no service alone. */
function troublesOf({ proxy, certificates = [] }: Overview, now: number): readonly string[] {
  const troubles = certificates.map(({ listener, file, expiresAt }) => {
    const when = expiresAt <= now ? `has expired ${formatAge(now - expiresAt)} ago` : `expires in ${formatAge(expiresAt - now)}`
    return printable(`certificate of listener ${listener} ${when}: ${file}`, false)
  })
  const store = proxy?.limitsStore
  if (store?.up === false)
    troubles.push(
      printable(`shared limits: their Redis is away${store.reason === undefined ? '' : ` (${store.reason})`}, each machine goes by its part`, false),
    )
  const quarantined = proxy?.quarantined?.length ?? 0
  if (quarantined > 0) troubles.push(`quarantine: ${plural(quarantined, 'request')} that instances die of (holdfast quarantine)`)
  return troubles
}

/** A boot is no illness: what has not come up yet but has not failed either is on its way. */
function statusOf({ status, proxyConnected, services }: Overview): Overview['status'] | 'starting' {
  const isBooting =
    services.some(({ health }) => health === 'starting') && services.every(({ health }) => health === 'starting' || health === 'healthy')
  return proxyConnected && isBooting ? 'starting' : status
}

/** In its first second a proxy has not heard of its workers yet. */
function workersOf({ workers, connections }: NonNullable<Overview['proxy']>): string {
  if (workers.length === 0) return 'no readings of its workers yet'
  return `${plural(workers.length, 'worker')}, ${plural(connections.active, 'connection')}`
}

const serviceColumns: readonly Column[] = [
  { title: 'SERVICE', shrinkTo: 10 },
  { title: 'HEALTH' },
  { title: 'READY', align: 'right' },
  { title: 'VERSION', shrinkTo: 7, spare: 2 },
  { title: 'REQ/S', align: 'right' },
  { title: 'P95', align: 'right', spare: 1 },
  { title: 'ERRORS', align: 'right' },
]

function serviceTable(services: readonly ServiceStatus[], view: StatusView): string {
  const { paint } = view
  const rows = services.map((service) => ({
    cells: [
      service.name,
      healthCell(service, paint),
      `${service.ready}/${service.desired}`,
      printable(service.version ?? nothing, false),
      formatRate(service.traffic.requestRate),
      formatMs(service.traffic.p95Ms),
      formatShare(service.traffic.errorRate),
    ],
    notes: [
      reasonNote(service),
      maintenanceNote(service),
      service.traffic.parked > 0 ? `${plural(service.traffic.parked, 'request')} parked` : undefined,
      service.traffic.queued > 0 ? `${plural(service.traffic.queued, 'request')} queued: all endpoints are at their limits` : undefined,
    ],
  }))
  return withNotes(serviceColumns, rows, view)
}

function healthCell(service: ServiceStatus, paint: Paint): string {
  return isScaledToZero(service) ? paint('dim', scaledToZero) : paint(toneOfHealth[service.health], service.health)
}

const isScaledToZero = ({ health, reason }: ServiceStatus): boolean => health === 'healthy' && reason === scaledToZero

/** Not what stands below with the instance itself. */
function reasonNote(service: ServiceStatus): string | undefined {
  const isToldBelow = isScaledToZero(service) || service.instances.some(({ reason }) => reason === service.reason)
  return isToldBelow ? undefined : service.reason
}

function maintenanceNote(service: ServiceStatus): string | undefined {
  const out = instancesInMaintenance(service).length
  return out === 0 ? undefined : `${out} of ${service.instances.length} out of the traffic`
}

const instanceColumns: readonly Column[] = [
  { title: 'INSTANCE', shrinkTo: 12 },
  { title: 'PHASE', shrinkTo: 12 },
  { title: 'VERSION', shrinkTo: 7, spare: 2 },
  { title: 'PID', align: 'right' },
  { title: 'PORT', align: 'right', spare: 1 },
  { title: 'CPU', align: 'right', spare: 3 },
  { title: 'MEMORY', align: 'right', spare: 2 },
  { title: 'UPTIME', align: 'right', spare: 4 },
  { title: 'RESTARTS', align: 'right' },
]

/** Ids of the instances whose endpoint was taken out of the traffic by hand. */
function instancesInMaintenance({ endpoints }: ServiceStatus): readonly string[] {
  return endpoints.flatMap(({ instance, state }) => (instance !== undefined && state === 'maintenance' ? [instance] : []))
}

function whyLessOfInstances(services: readonly ServiceStatus[]): ReadonlyMap<string, string> {
  return new Map(
    services.flatMap(({ endpoints }) =>
      endpoints.flatMap((endpoint) => {
        const { instance } = endpoint
        const why = whyLess(endpoint)
        return instance === undefined || why === undefined ? [] : [[instance, why] as const]
      }),
    ),
  )
}

function instanceTable(
  instances: readonly InstanceStatus[],
  outOfTraffic: ReadonlySet<string>,
  whyLess: ReadonlyMap<string, string>,
  view: StatusView,
): string {
  const { paint, now } = view
  const differ = haveVersions(instances)
  const rows = instances.map((instance) => {
    const { resources, pid, startedAt } = instance
    return {
      cells: [
        instance.id,
        outOfTraffic.has(instance.id)
          ? paint(toneOfHealth.maintenance, `${instance.phase} (maintenance)`)
          : paint(toneOfPhase[instance.phase], instance.phase),
        ...(differ ? [printable(instance.version ?? nothing, false)] : []),
        pid === undefined ? nothing : String(pid),
        instance.port > 0 ? String(instance.port) : nothing,
        resources ? `${Math.round(resources.cpuPercent)}%` : nothing,
        resources ? formatSize(resources.memoryBytes) : nothing,
        pid !== undefined && startedAt !== undefined ? formatAge(now - startedAt) : nothing,
        String(instance.restarts),
      ],
      notes: [instance.reason, nextStart(instance, now), whyLess.get(instance.id)],
    }
  })
  return withNotes(differ ? instanceColumns : instanceColumns.filter(({ title }) => title !== 'VERSION'), rows, view)
}

/** Of some service more than one version is there: which is which must be told. */
function haveVersions(all: readonly Pick<EndpointStatus, 'service' | 'version'>[]): boolean {
  return all.some(({ service, version }) => all.some((other) => other.service === service && other.version !== version))
}

function nextStart({ nextStartAt }: InstanceStatus, now: number): string | undefined {
  // The API leaves out what is undefined; another client of these types may say null.
  return typeof nextStartAt === 'number' && nextStartAt > now
    ? `next start in ${formatAge(Math.ceil((nextStartAt - now) / 1_000) * 1_000)}`
    : undefined
}

const endpointColumns: readonly Column[] = [
  { title: 'ENDPOINT', shrinkTo: 15 },
  { title: 'SERVICE', shrinkTo: 10 },
  { title: 'VERSION', shrinkTo: 7, spare: 5 },
  { title: 'ROLE' },
  { title: 'HEALTH' },
  { title: 'STATE', spare: 1 },
  { title: 'WEIGHT', align: 'right', spare: 4 },
  { title: 'ACTIVE', align: 'right', spare: 3 },
  { title: 'REQUESTS', align: 'right', spare: 2 },
  { title: 'ERRORS', align: 'right' },
]

/** Of the traffic, beside the others: 100 is all that one can have. */
const weightCell = ({ effectiveWeight }: EndpointStatus): string =>
  typeof effectiveWeight === 'number' ? String(Math.round(effectiveWeight)) : nothing

/** Why an endpoint weighs less than 100, but for what its table says anyway. */
function whyLess({ effectiveWeight = 100, weightReasons = [], reason, state }: EndpointStatus): string | undefined {
  if (state !== 'active') return undefined
  const whys = weightReasons.filter(({ why }) => reason === undefined || !why.endsWith(reason)).map(({ why }) => why)
  if (whys.length === 0) return undefined
  // Of full weight, and on trial all the same.
  return effectiveWeight >= 100 ? whys.join(', ') : `weight ${Math.round(effectiveWeight)}: ${whys.join(', ')}`
}

function endpointTable(endpoints: readonly EndpointStatus[], view: StatusView): string {
  const { paint } = view
  const haveRoles = endpoints.some(({ role }) => role !== undefined)
  const differ = haveVersions(endpoints)
  const left = endpointColumns.filter(({ title }) => (haveRoles || title !== 'ROLE') && (differ || title !== 'VERSION'))
  const rows = endpoints.map((endpoint) => ({
    cells: [
      endpoint.id,
      endpoint.service,
      ...(differ ? [printable(endpoint.version ?? nothing, false)] : []),
      ...(haveRoles ? [endpoint.role ?? nothing] : []),
      paint(toneOfHealth[endpoint.health], endpoint.health),
      endpoint.state,
      weightCell(endpoint),
      formatCount(endpoint.traffic.active),
      formatCount(endpoint.traffic.requests),
      formatCount(endpoint.traffic.errors),
    ],
    notes: [endpoint.reason, whyLess(endpoint)],
  }))
  return withNotes(left, rows, view)
}

interface Row {
  readonly cells: readonly string[]
  /** Why it is so: on lines of their own, since a sentence does not fit a column. */
  readonly notes: readonly (string | null | undefined)[]
}

function withNotes(columns: readonly Column[], rows: readonly Row[], { columns: width, paint }: StatusView): string {
  const cells = rows.map((row) => row.cells)
  const [title = '', ...lines] = renderTable(columns, cells, width, (text) => paint('dim', text)).split('\n')
  const body = lines.flatMap((line, i) => {
    const notes = (rows[i]?.notes ?? []).filter((note) => typeof note === 'string' && note !== '')
    if (notes.length === 0) return [line]
    return [line, ...hang('  └ ', printable(notes.join('; '), false), width).map((each) => paint('dim', each))]
  })
  return [title, ...body].join('\n')
}
