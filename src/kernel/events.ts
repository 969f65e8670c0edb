/**
 * Facts that happened, past tense, one typed map. An event carries a sentence for people and data for
 * programs; `cause` is the id of the event that led to it, so that a chain can be followed back.
 */
import type { WallTime } from './time.ts'

export interface EventData {
  'holdfast.started': { readonly pid: number; readonly version: string; readonly adopted: number }
  'holdfast.stopped': { readonly reason: string }
  'config.applied': { readonly file: string | undefined; readonly changes: readonly string[] }
  'config.refused': { readonly file: string | undefined; readonly problems: readonly string[] }
  'service.added': Record<string, never>
  'service.removed': Record<string, never>
  'service.changed': { readonly revision: number; readonly changes: readonly string[] }
  /** A new revision would not start; the one before it goes on. */
  'service.revisionFailed': { readonly revision: number; readonly reason: string; readonly retries: boolean }
  /** It was started although services that it depends on were not ready. */
  'service.dependenciesMissed': { readonly missing: readonly string[]; readonly waitedMs: number }
  'service.healthChanged': { readonly from: string; readonly to: string }
  'service.scaled': {
    readonly from: number
    readonly to: number
    readonly trigger: 'manual' | 'config'
    readonly reason: string
    readonly actor: string
  }
  'service.restarted': { readonly actor: string; readonly instances: number; readonly replaced: number; readonly error?: string }
  'service.maintenanceChanged': { readonly enabled: boolean; readonly actor: string }
  /** Shares by version, set by hand; null: as configured again. */
  'service.splitChanged': { readonly shares: Readonly<Record<string, number>> | null; readonly actor: string }
  'instance.started': { readonly pid: number; readonly port: number; readonly revision: number }
  'instance.adopted': { readonly pid: number; readonly port: number; readonly revision: number }
  'instance.ready': { readonly port: number; readonly bootMs: number }
  'instance.unhealthy': { readonly reason: string }
  'instance.recovered': Record<string, never>
  'instance.memoryExceeded': { readonly memoryBytes: number; readonly limitBytes: number }
  'instance.draining': { readonly reason: string }
  'instance.exited': {
    readonly code?: number
    readonly signal?: string
    readonly class: string
    readonly uptimeMs: number
    readonly stderrTail: readonly string[]
  }
  'instance.crashLooping': { readonly failures: number; readonly nextStartAt: WallTime; readonly stderrTail: readonly string[] }
  'instance.startFailed': { readonly reason: string; readonly stderrTail: readonly string[] }
  'endpoint.unhealthy': { readonly address: string; readonly reason: string }
  'endpoint.recovered': { readonly address: string }
  /** It came to no secure connection. */
  'endpoint.handshakeFailed': { readonly address: string; readonly reason: string }
  'endpoint.ejected': { readonly address: string; readonly reason: string; readonly forMs: number }
  'endpoint.reinstated': { readonly address: string }
  /** A database has become the one that is written to. */
  'endpoint.promoted': { readonly address: string; readonly from: string }
  /** It is not written to any more. */
  'endpoint.demoted': { readonly address: string; readonly to: string; readonly reason?: string }
  /** It lives, and would not say whether it is a primary. */
  'endpoint.roleRefused': { readonly address: string; readonly reason: string }
  /** More than one says that it is the primary, and none is written to. */
  'service.primaryContested': { readonly addresses: readonly string[] }
  /** Limits that machines share lie there; meanwhile each goes by its part. */
  'limits.storeLost': { readonly reason: string }
  'limits.storeBack': Readonly<Record<string, never>>
  /** What machines and programs share of the caches lies there; meanwhile each goes by its memory. */
  'cache.redisLost': { readonly layer: 'values' | 'responses'; readonly reason: string }
  'cache.redisBack': { readonly layer: 'values' | 'responses' }
  'cache.purged': {
    readonly by: 'url' | 'tag' | 'prefix' | 'release' | 'service' | 'all'
    readonly soft: boolean
    readonly url?: string
    readonly tags?: readonly string[]
    readonly prefix?: string
    readonly release?: string
    readonly service?: string | undefined
    /** How many answers that the balancer held. */
    readonly responses: number
    readonly actor: string
  }
  'cache.cleared': { readonly responses: number; readonly actor: string }
  'breaker.changed': {
    readonly address: string
    readonly from: string
    readonly to: string
    readonly reason: string
    readonly calls: number
    readonly failed: number
    readonly slow: number
  }
  /** Two instances have crashed with it. `stderrTails`: the last words of each. */
  'request.quarantined': {
    readonly id: string
    readonly request: string
    readonly requestIds: readonly string[]
    readonly instances: readonly string[]
    readonly reasons: readonly string[]
    readonly stderrTails: readonly (readonly string[])[]
  }
  'request.forgotten': { readonly id: string; readonly actor: string }
  'breaker.ordered': { readonly action: string; readonly actor: string }
  'endpoint.added': { readonly address: string; readonly actor: string }
  'endpoint.removed': { readonly address: string; readonly actor: string }
  'endpoint.maintenanceChanged': { readonly address: string; readonly enabled: boolean; readonly actor: string }
  'proxy.started': { readonly pid: number; readonly workers: number }
  'proxy.adopted': { readonly pid: number; readonly workers: number }
  'proxy.workerExited': { readonly pid: number; readonly code?: number; readonly signal?: string }
  'proxy.disconnected': { readonly reason: string }
  'proxy.reconnectFailed': { readonly reason: string; readonly hint: string }
  'proxy.viewRefused': { readonly reason: string; readonly hint?: string }
  'profile.recorded': { readonly id: string; readonly kind: string; readonly bytes: number; readonly actor: string }
  'profile.failed': { readonly id: string; readonly kind: string; readonly reason: string; readonly actor: string }
  'profile.removed': { readonly id: string; readonly kind: string; readonly actor: string }
  /** One is seen to need another: by calls through the balancer, or by connections. */
  'dependency.learned': {
    readonly from: string
    readonly to: string
    readonly kind: 'calls' | 'connections'
    readonly count: number
    readonly share: number
  }
  'dependency.forgotten': {
    readonly from: string
    readonly to: string
    readonly kind: 'calls' | 'connections'
    readonly count: number
    readonly share: number
  }
  'certificate.reloaded': { readonly files: readonly string[] }
  'certificate.refused': { readonly reason: string }
  'acme.obtained': { readonly listener: string; readonly hosts: readonly string[]; readonly expiresAt: string }
  'acme.failed': { readonly listener: string; readonly hosts: readonly string[]; readonly reason: string; readonly retryAt: string }
  'certificate.expiring': { readonly listener: string; readonly file: string; readonly hosts: readonly string[]; readonly expiresAt: string }
  /** A series found no place in the history: told once for each metric. */
  'metrics.refused': { readonly metric: string; readonly labels: Readonly<Record<string, string>>; readonly reason: string }
  'check.changed': {
    readonly check: string
    readonly kind: string
    readonly from: 'unknown' | 'up' | 'down'
    readonly to: 'unknown' | 'up' | 'down'
    readonly severity: string
    readonly reason: string
  }
  /** It failed once, or real traffic or other nodes contradict it; it is not down. */
  'check.suspected': {
    readonly check: string
    readonly kind: string
    readonly cause: 'probe' | 'traffic' | 'partial reachability'
    readonly reason: string
  }
  /** What it measures has crossed a threshold. */
  'check.levelChanged': {
    readonly check: string
    readonly kind: string
    readonly from: string
    readonly to: string
    readonly value?: number
    readonly reason: string
  }
  /** It could not be made, several times. */
  'check.inconclusive': { readonly check: string; readonly kind: string; readonly reason: string }
  /** It fails while real requests do well. */
  'check.contradicted': { readonly check: string; readonly kind: string; readonly reason: string }
  'check.paused': { readonly check: string; readonly actor: string }
  'check.resumed': { readonly check: string; readonly actor: string }
  /** This node does not see the network; what cannot be reached is not taken for down. */
  'network.lost': { readonly reason: string }
  'network.recovered': { readonly forMs: number }
  /** What was measured stays in memory only; told once until it can be kept again. */
  'metrics.notKept': { readonly reason: string }
  /** Parts of it cannot be read; told once. */
  'metrics.damaged': { readonly reason: string }
  /** Something was done by itself; `dryRun`: would have been. */
  'policy.ran': { readonly policy: string; readonly action: string; readonly target: string; readonly dryRun: boolean }
  /** It was not done; told once until it runs again, or for another reason. */
  'policy.refused': { readonly policy: string; readonly action: string; readonly reason: string }
  'policy.failed': { readonly policy: string; readonly action: string; readonly target: string; readonly reason: string }
  'store.setAside': { readonly file: string; readonly reason: string }
  'alert.fired': AlertData
  'alert.resolved': AlertData & { readonly firedForMs: number }
  'alert.acknowledged': AlertData & { readonly actor: string; readonly comment: string; readonly until: WallTime }
  /** The acknowledgement has run out. */
  'alert.unacknowledged': AlertData & { readonly actor: string }
  /** Nobody is told of it by itself: what it needs is down. */
  'alert.suppressed': AlertData & { readonly cause: string; readonly reason: string }
  /** Nobody has acknowledged: the next receiver is told. */
  'alert.escalated': { readonly group: string; readonly receiver: string; readonly step: number }
  /** Too many at once for an event each. */
  'alert.burst': { readonly fired: number; readonly resolved: number }
  'alert.refused': { readonly reason: string; readonly alerts: number }
  'notification.sent': NotificationData & { readonly tookMs: number }
  'notification.failed': NotificationData & { readonly error: string }
  'silence.created': SilenceData & { readonly actor: string }
  /** It ends within the hour. */
  'silence.expiring': SilenceData
  'silence.ended': SilenceData & { readonly matched: number }
  'incident.opened': IncidentData
  'incident.updated': IncidentData & { readonly actor: string; readonly text: string }
  'incident.resolved': IncidentData & { readonly lastedMs: number }
  'access.granted': AuditData
  'access.denied': AuditData
  'action.done': AuditData
  'action.failed': AuditData & { readonly error: string }
  'token.created': { readonly actor: string; readonly role: string; readonly expiresAt: WallTime }
  'apikey.created': { readonly actor: string; readonly role: string; readonly keyId: string; readonly name: string }
  'apikey.revoked': { readonly actor: string; readonly keyId: string }
}

/** Which alert. */
export interface AlertData {
  readonly fingerprint: string
  readonly alertname: string
  readonly severity: string
  readonly labels: Readonly<Record<string, string>>
}

export interface NotificationData {
  readonly id: string
  readonly receiver: string
  readonly integration: string
  /** Of the group. */
  readonly group: string
  readonly why: string
  readonly alerts: readonly string[]
  readonly attempts: number
}

export interface SilenceData {
  readonly id: string
  readonly matchers: readonly string[]
  readonly endsAt: WallTime
  readonly createdBy: string
  readonly comment: string
}

export interface IncidentData {
  readonly id: string
  readonly title: string
  readonly impact: string
  readonly status: string
}

/** Who did what from where; never the credential itself. */
export interface AuditData {
  readonly actor: string
  readonly role: string
  readonly action: string
  readonly address: string
  readonly requestId: string
  /** Of the answer; 0 while there is none. */
  readonly status: number
}

export type EventType = keyof EventData

/** The compiler sees to it that none is missing. */
const known: Readonly<Record<EventType, true>> = {
  'holdfast.started': true,
  'holdfast.stopped': true,
  'config.applied': true,
  'config.refused': true,
  'service.added': true,
  'service.removed': true,
  'service.changed': true,
  'service.revisionFailed': true,
  'service.dependenciesMissed': true,
  'service.healthChanged': true,
  'service.scaled': true,
  'service.restarted': true,
  'service.maintenanceChanged': true,
  'service.splitChanged': true,
  'instance.started': true,
  'instance.adopted': true,
  'instance.ready': true,
  'instance.unhealthy': true,
  'instance.recovered': true,
  'instance.memoryExceeded': true,
  'instance.draining': true,
  'instance.exited': true,
  'instance.crashLooping': true,
  'instance.startFailed': true,
  'endpoint.unhealthy': true,
  'endpoint.recovered': true,
  'endpoint.handshakeFailed': true,
  'endpoint.ejected': true,
  'endpoint.reinstated': true,
  'endpoint.promoted': true,
  'endpoint.demoted': true,
  'endpoint.roleRefused': true,
  'service.primaryContested': true,
  'limits.storeLost': true,
  'limits.storeBack': true,
  'cache.redisLost': true,
  'cache.redisBack': true,
  'cache.purged': true,
  'cache.cleared': true,
  'breaker.changed': true,
  'request.quarantined': true,
  'request.forgotten': true,
  'breaker.ordered': true,
  'endpoint.added': true,
  'endpoint.removed': true,
  'endpoint.maintenanceChanged': true,
  'proxy.started': true,
  'proxy.adopted': true,
  'proxy.workerExited': true,
  'proxy.disconnected': true,
  'proxy.reconnectFailed': true,
  'proxy.viewRefused': true,
  'profile.recorded': true,
  'profile.failed': true,
  'profile.removed': true,
  'dependency.learned': true,
  'dependency.forgotten': true,
  'certificate.reloaded': true,
  'certificate.refused': true,
  'acme.obtained': true,
  'acme.failed': true,
  'certificate.expiring': true,
  'metrics.refused': true,
  'check.changed': true,
  'check.suspected': true,
  'check.levelChanged': true,
  'check.inconclusive': true,
  'check.contradicted': true,
  'check.paused': true,
  'check.resumed': true,
  'network.lost': true,
  'network.recovered': true,
  'metrics.notKept': true,
  'metrics.damaged': true,
  'policy.ran': true,
  'policy.refused': true,
  'policy.failed': true,
  'store.setAside': true,
  'alert.fired': true,
  'alert.resolved': true,
  'alert.acknowledged': true,
  'alert.unacknowledged': true,
  'alert.suppressed': true,
  'alert.escalated': true,
  'alert.burst': true,
  'alert.refused': true,
  'notification.sent': true,
  'notification.failed': true,
  'silence.created': true,
  'silence.expiring': true,
  'silence.ended': true,
  'incident.opened': true,
  'incident.updated': true,
  'incident.resolved': true,
  'access.granted': true,
  'access.denied': true,
  'action.done': true,
  'action.failed': true,
  'token.created': true,
  'apikey.created': true,
  'apikey.revoked': true,
}
/** Every type there is, in the order above. */
export const eventTypes = Object.keys(known) as readonly EventType[]
export type EventLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical'

export interface EventOf<T extends EventType> {
  /** Sorts by time of making. */
  readonly id: string
  /** Strictly rising in one data directory; survives restarts. */
  readonly seq: number
  readonly time: WallTime
  readonly type: T
  readonly level: EventLevel
  readonly message: string
  readonly region: string
  readonly service: string | undefined
  readonly instance: string | undefined
  readonly cause: string | undefined
  readonly data: EventData[T]
}
export type AnyEvent = { [T in EventType]: EventOf<T> }[EventType]

/** What the announcer says; the sink adds id, seq, time and region. */
export interface EventInput<T extends EventType> {
  readonly message: string
  readonly data: EventData[T]
  readonly level?: EventLevel
  readonly service?: string | undefined
  readonly instance?: string | undefined
  readonly cause?: string | undefined
}

/** Where parts announce facts. The announcer never waits and never learns who listens. */
export interface EventSink {
  /** Returns the event's id, to be handed on as the `cause` of what follows. */
  emit<T extends EventType>(type: T, event: EventInput<T>): string
}
