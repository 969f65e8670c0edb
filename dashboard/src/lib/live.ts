/** All that the server tells as it changes: one stream, held while the page is open. Pages read its tables; nothing here asks twice for what the stream brings. */
import { batch, computed, signal } from '@preact/signals'
import type { LiveCollection, LiveMessage } from '../../../src/api/live/types.ts'
import type { EndpointStatus, InstanceStatus, ServiceStatus } from '../../../src/registry/types.ts'
import { ApiError } from './api.ts'
import type { ApiEvent } from './events.ts'
import { follow } from './event-source.ts'
import { Recent } from './recent.ts'
import { Table } from './table.ts'

export interface LiveSystem {
  readonly status: 'healthy' | 'degraded' | 'unhealthy'
  readonly name: string
  readonly region: string
  readonly version: string
  readonly pid: number
  readonly startedAt: number
  readonly proxyConnected: boolean
  readonly proxyPid?: number
  readonly proxyStartedAt?: number
  readonly connections?: number
  readonly alertsFiring: Readonly<Record<LiveAlert['severity'], number>>
  /** Of those: neither kept quiet nor taken up. */
  readonly alertsOpen: number
}
export type LiveService = Omit<ServiceStatus, 'instances' | 'endpoints'>
export interface LiveListener {
  readonly name: string
  readonly url: string
}
export interface LiveWorker {
  readonly pid: number
  readonly connections: number
  readonly memoryBytes: number
}
export interface LiveCertificate {
  readonly listener: string
  readonly file: string
  readonly hosts: readonly string[]
  readonly expiresAt: number
}

export interface LiveAlert {
  readonly id: string
  readonly severity: 'warning' | 'critical' | 'emergency'
  readonly labels: Readonly<Record<string, string>>
  readonly summary?: string
  readonly startsAt: number
  /** Why nobody is told of it. */
  readonly quiet?: string
  readonly ackedBy?: string
}

export const tables = {
  system: new Table<LiveSystem>(),
  listeners: new Table<LiveListener>(),
  services: new Table<LiveService>(),
  instances: new Table<InstanceStatus>(),
  endpoints: new Table<EndpointStatus>(),
  workers: new Table<LiveWorker>(),
  certificates: new Table<LiveCertificate>(),
  /** The gravest that fire, and the newest of those; `system.alertsFiring` counts all. */
  alerts: new Table<LiveAlert>(),
} satisfies Record<LiveCollection, unknown>

export const system = tables.system.record('system')
export const connection = signal<'connecting' | 'live' | 'broken'>('connecting')
/** Whether all is there once: until then pages show that they are loading. */
export const complete = signal(false)
/** Goes up when the stream has come back: what is known from it has a gap before this. */
export const rejoined = signal(0)
/** Of the server, in wall time; what is shown is as old as this. */
export const at = signal(0)
/** Once a second, after the tables: what draws over time hangs on it. */
export const second = signal(0)
export const staleSince = signal<number | undefined>(undefined)
export const recentEvents = signal<readonly ApiEvent[]>([])
/** Each batch of new events as it comes. */
export const newEvents = signal<readonly ApiEvent[]>([])
export const recent = new Recent(tables)

const eventsKept = 200
const silentMs = 3_500

/** Ids of what belongs to a service. */
export const instancesOf = (service: string): readonly string[] =>
  tables.instances.ids.value.filter((id) => tables.instances.peek(id)?.service === service)
export const endpointsOf = (service: string): readonly string[] => tables.endpoints.ids.value.filter((id) => id.startsWith(`${service}/`))

/** How many alerts fire that nobody has taken up or silenced. */
export const openAlerts = computed(() => system.value?.alertsOpen ?? 0)
/** How many alerts fire. */
export const firingAlerts = computed(() => Object.values(system.value?.alertsFiring ?? {}).reduce((sum, n) => sum + n, 0))

export const services = computed(() => tables.services.all())

let skew = 0
/** The time of the server: the clock of this browser may be off, and all that is shown is stamped there. */
export const now = (): number => Date.now() + skew

function apply({ at: time, part, set = {}, gone = {}, events }: LiveMessage<ApiEvent>): void {
  batch(() => {
    if (part === 'first' || part === 'only') for (const table of Object.values(tables)) table.clear()
    for (const name of Object.keys(tables) as LiveCollection[]) tables[name].apply(set[name], gone[name])
    at.value = time
    skew = time - Date.now()
    if (events) {
      newEvents.value = events
      recentEvents.value = [...events.toReversed(), ...recentEvents.peek()].slice(0, eventsKept)
    }
    if (part === 'last' || part === 'only') {
      if (complete.peek()) rejoined.value++
      complete.value = true
    }
    if (part !== 'first' && part !== 'middle') {
      connection.value = 'live'
      staleSince.value = undefined
      if (recent.take(time)) second.value = time
    }
  })
}

let source: Disposable | undefined
export function startLive(): void {
  source?.[Symbol.dispose]()
  source = follow('/live', {
    silentMs,
    onMessage: (data, event) => {
      if (event === 'message') apply(data as LiveMessage<ApiEvent>)
    },
    onBreak: (error) => {
      // Refused: the session has heard of it, and ends.
      if (error instanceof ApiError && error.status === 401) return
      connection.value = 'broken'
      staleSince.value ??= at.peek() === 0 ? undefined : Date.now()
    },
  })
}

export function stopLive(): void {
  source?.[Symbol.dispose]()
  source = undefined
  complete.value = false
}
