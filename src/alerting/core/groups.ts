/** A group of alerts that are told together: what is known of it, and what of that outlives the process. */
import { labelsKey, type Labels } from '../../kernel/labels.ts'
import type { AlertRoute } from './routes.ts'

export interface Group {
  readonly id: string
  /** `{}/{severity="page"}:{alertname="Down"}`, as Alertmanager writes it. */
  readonly key: string
  readonly route: AlertRoute
  readonly labels: Labels
  readonly alerts: Set<string>
  /** Those of them that fire. */
  readonly live: Set<string>
  nextFlushAt: number
  lastFlushAt: number | undefined
  /** Who is being told at this moment: receiver and integration. Nobody else waits for them. */
  readonly busy: Set<string>
  /** Somebody was busy when there was news: it is told when that is over. */
  missed: boolean
  /** All orders of this flush were sent so far. */
  intact: boolean
  /** As they were at the last flush: fingerprint → updatedAt. */
  flushed: Map<string, number>
  /** Kept quiet at the last flush. */
  quiet: Set<string>
  /** Flushes ahead of the interval, the newest last. */
  early: number[]
  /** When it was first told of, since when it climbs; undefined: nothing fires. */
  toldAt: number | undefined
  /** Steps of the escalation taken. */
  steps: number
  /** Who is told because its own receivers could not be. */
  fallback: string | undefined
  /** Since when all that fires is acknowledged. */
  heldSince: number | undefined
  emptySince: number | undefined
}

/** What a group is known by after a restart. */
export interface GroupRecord {
  readonly content: string
  readonly alerts: readonly string[]
  readonly nextFlushAt: number
  readonly lastFlushAt: number | undefined
  readonly toldAt: number | undefined
  readonly steps: number
  readonly heldSince: number | undefined
  readonly fallback?: string | undefined
  readonly log: readonly {
    readonly receiver: string
    readonly integration: string
    readonly at: number
    readonly until: number
    readonly firing: readonly string[]
    readonly resolved: readonly string[]
  }[]
}

export const groupId = (route: AlertRoute, labels: Labels): string => `${route.id}:${labelsKey(labels)}`
export const contentOf = ({ route, labels }: Pick<Group, 'route' | 'labels'>): string => `${route.options.receiver}:${route.key}:${labelsKey(labels)}`
/** Whom a word goes to. */
export const wayOf = (receiver: string, integration: string): string => `${receiver}\n${integration}`
export const logKey = (group: Pick<Group, 'id'>, receiver: string, integration: string): string => `${group.id}\n${wayOf(receiver, integration)}`

/** `{a="b", c="d"}` */
export const labelsText = (labels: Labels): string =>
  `{${Object.keys(labels)
    .sort()
    .map((name) => `${name}=${JSON.stringify(labels[name])}`)
    .join(', ')}}`

export function newGroup(id: string, route: AlertRoute, labels: Labels, now: number): Group {
  return {
    id,
    key: `${route.key}:${labelsText(labels)}`,
    route,
    labels,
    alerts: new Set(),
    live: new Set(),
    nextFlushAt: now + route.options.groupWaitMs,
    lastFlushAt: undefined,
    busy: new Set(),
    missed: false,
    intact: true,
    flushed: new Map(),
    quiet: new Set(),
    early: [],
    toldAt: undefined,
    steps: 0,
    fallback: undefined,
    heldSince: undefined,
    emptySince: undefined,
  }
}

/** What goes on in a group of another policy. */
export function taken(old: Group | undefined, group: Group): Group {
  if (old === undefined) return group
  const { nextFlushAt, lastFlushAt, toldAt, heldSince, fallback, quiet, early } = old
  const steps = Math.min(old.steps, group.route.options.escalate.length)
  return { ...group, nextFlushAt, lastFlushAt, toldAt, heldSince, fallback, quiet, early, steps, busy: old.busy, missed: old.missed }
}
