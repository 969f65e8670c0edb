/** The state of the system as flat tables, and what has changed from one such state to the next. Pure. */
import type { AlertView } from '../../app/alert-operations.ts'
import type { Overview } from '../../app/operations.ts'
import {
  liveCollections,
  type LiveChanges,
  type LiveCollection,
  type LiveMessage,
  type LiveRecord,
  type LiveTable,
  type LiveTables,
} from './types.ts'

/** Firing alerts that are told one by one: those that nobody has taken up or silenced, the gravest and newest of them; `alertsFiring` of the system counts all. */
const alertsTold = 100
/** Records in one message of the whole: each stays far below what a stream may hold back. */
const recordsPerPart = 200

/** `startedAt`: of the control process; an uptime would change with every message. */
export function liveTables(
  { services, listeners, proxy, certificates, uptime: _, ...system }: Overview,
  alerts: readonly AlertView[],
  startedAt: number,
): LiveTables {
  return {
    system: {
      system: {
        ...system,
        startedAt,
        alertsFiring: countsOf(alerts),
        alertsOpen: alerts.filter(isOpen).length,
        proxyPid: proxy?.pid,
        proxyStartedAt: proxy?.startedAt,
        connections: proxy?.connections.active,
      },
    },
    listeners: tableOf(listeners, ({ name }) => name),
    services: tableOf(
      services.map(({ instances: __, endpoints: ___, ...service }) => service),
      ({ name }) => name,
    ),
    instances: tableOf(
      services.flatMap(({ instances }) => instances),
      ({ id }) => id,
    ),
    endpoints: tableOf(
      services.flatMap(({ endpoints }) => endpoints),
      ({ service, id }) => `${service}/${id}`,
    ),
    workers: tableOf(proxy?.workers ?? [], ({ pid }) => String(pid)),
    certificates: tableOf(certificates ?? [], ({ file }) => file),
    alerts: tableOf(gravest(alerts).map(shownAlert), ({ id }) => id),
  }
}

const tableOf = <T extends object>(items: readonly T[], idOf: (item: T) => string): LiveTable =>
  Object.fromEntries(items.map((item) => [idOf(item), item as LiveRecord]))

const gravity = { warning: 0, critical: 1, emergency: 2 } as const

function countsOf(alerts: readonly AlertView[]): Readonly<Record<keyof typeof gravity, number>> {
  const counts = { warning: 0, critical: 0, emergency: 0 }
  for (const { severity } of alerts) counts[severity]++
  return counts
}

/** Neither kept quiet nor taken up: somebody has to look. */
const isOpen = ({ quiet, ack }: AlertView): boolean => quiet === undefined && ack === undefined

const gravest = (alerts: readonly AlertView[]): readonly AlertView[] =>
  alerts
    .toSorted((a, b) => Number(isOpen(b)) - Number(isOpen(a)) || gravity[b.severity] - gravity[a.severity] || b.alert.startsAt - a.alert.startsAt)
    .slice(0, alertsTold)

const shownAlert = ({ id, severity, alert, quiet, ack }: AlertView) => ({
  id,
  severity,
  labels: alert.labels,
  summary: alert.annotations.summary,
  startsAt: alert.startsAt,
  quiet: quiet?.reason,
  ackedBy: ack?.by,
})

/** Undefined: nothing has changed. */
export function liveChanges(before: LiveTables, now: LiveTables): LiveChanges | undefined {
  const set: Partial<Record<LiveCollection, LiveTable>> = {}
  const gone: Partial<Record<LiveCollection, readonly string[]>> = {}
  for (const name of liveCollections) {
    const changed = changedRecords(before[name], now[name])
    if (changed) set[name] = changed
    const left = Object.keys(before[name]).filter((id) => !Object.hasOwn(now[name], id))
    if (left.length > 0) gone[name] = left
  }
  const [hasSet, hasGone] = [Object.keys(set).length > 0, Object.keys(gone).length > 0]
  return hasSet || hasGone ? { ...(hasSet && { set }), ...(hasGone && { gone }) } : undefined
}

function changedRecords(before: LiveTable, now: LiveTable): LiveTable | undefined {
  const changed: [string, LiveRecord][] = []
  for (const [id, record] of Object.entries(now)) {
    const old = Object.hasOwn(before, id) ? before[id] : undefined
    const fields = old === undefined ? record : changedFields(old, record)
    if (fields) changed.push([id, fields])
  }
  return changed.length > 0 ? Object.fromEntries(changed) : undefined
}

function changedFields(before: LiveRecord, now: LiveRecord): LiveRecord | undefined {
  const changed: [string, unknown][] = []
  for (const [field, value] of Object.entries(now)) {
    if (!same(before[field], value)) changed.push([field, value ?? null])
  }
  for (const field of Object.keys(before)) {
    if (!Object.hasOwn(now, field) && before[field] !== undefined) changed.push([field, null])
  }
  return changed.length > 0 ? Object.fromEntries(changed) : undefined
}

/** Fields are plain data, written in the same order each time. */
const same = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b))

/** The whole, cut into messages. */
export function liveParts(tables: LiveTables, at: number): readonly LiveMessage<never>[] {
  const parts: Partial<Record<LiveCollection, LiveTable>>[] = [{}]
  let room = recordsPerPart
  for (const name of liveCollections) {
    for (const [id, record] of Object.entries(tables[name])) {
      if (room === 0) {
        parts.push({})
        room = recordsPerPart
      }
      const part = parts.at(-1) ?? {}
      part[name] = { ...part[name], [id]: record }
      room--
    }
  }
  const last = parts.length - 1
  return parts.map((set, i) => ({ at, part: last === 0 ? 'only' : i === 0 ? 'first' : i === last ? 'last' : 'middle', set }))
}
