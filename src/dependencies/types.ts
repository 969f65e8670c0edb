/**
 * What needs what. A node is a service, a check, or an address outside; a need says that one node cannot work without another, or without one of several. Needs are
 * configured, or learned: from the environment of instances, from the calls that go through the balancer, from connections that instances hold.
 */

export type NodeKind = 'service' | 'check' | 'address'

/** One name, one node: a check that is called as a service is checks that service. */
export interface GraphNode {
  readonly name: string
  readonly kind: NodeKind
}

/** What was seen of one who calls another. */
export interface Seen {
  /** Over the window, older ones counting less. Of connections: one for each look at which it was open. */
  readonly count: number
  /** Of all that the caller does in this way, 0 to 1. */
  readonly share: number
  /** Wall time in milliseconds. */
  readonly firstAt: number
  readonly lastAt: number
}

/** Why it is believed that one needs another. */
export type Evidence =
  /** `health.dependencies`, or `dependsOn` of a check. */
  | { readonly kind: 'configured' }
  /** `dependsOn` of a service. */
  | { readonly kind: 'dependsOn' }
  /** A variable of its environment holds the address. */
  | { readonly kind: 'environment'; readonly variable: string }
  /** It calls through the balancer. */
  | ({ readonly kind: 'calls' } & Seen)
  /** Its processes hold connections there. */
  | ({ readonly kind: 'connections' } & Seen)

export type EvidenceKind = Evidence['kind']

export interface Need {
  /** Who needs. */
  readonly of: string
  /** What: one of these is enough. Usually one. */
  readonly anyOf: readonly string[]
  /** false: it works without, only less well. */
  readonly hard: boolean
  readonly evidence: readonly Evidence[]
}
