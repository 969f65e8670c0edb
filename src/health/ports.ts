/** What checks need of others. */
import type { Vantage } from './core/quorum.ts'
import type { RecentTraffic } from './core/traffic-veto.ts'

/** Requests to a service through the balancer within the last so many milliseconds; undefined: not known. */
export interface TrafficReader {
  recent(service: string, withinMs: number): RecentTraffic | undefined
}

/** How the other nodes see the same check; without other nodes: nothing. */
export interface VantagePoints {
  of(check: string): readonly Vantage[]
}

/** Which checks have one voice when it is asked whether this node sees the network: the name of what hangs together. undefined: what the check itself declares. */
export type Related = (check: string) => string | undefined

/** What is remembered over a restart of the control process. */
export interface CheckMemory {
  load(): Promise<Readonly<Record<string, RememberedCheck>>>
  /** undefined: there is nothing to remember of it. */
  save(check: string, remembered: RememberedCheck | undefined): Promise<void>
}

export interface RememberedCheck {
  readonly identity: string
  readonly state: 'up' | 'down' | 'paused'
  /** Wall time in milliseconds. */
  readonly since: number
  /** Of a heartbeat: when it was last heard of. */
  readonly beatAt?: number | undefined
}
