/** What a user can ask of the graph: what needs what and why that is believed, what goes down with something, and what is down because of what. */
import type { RankedCause } from '../dependencies/core/causes.ts'
import type { Affected, Impact } from '../dependencies/core/impact.ts'
import type { NodeState } from '../dependencies/core/states.ts'
import type { Evidence, NodeKind } from '../dependencies/types.ts'

export type { Affected, Evidence, Impact, NodeKind, NodeState, RankedCause }

export interface DependencyNode {
  readonly name: string
  readonly kind: NodeKind
  /** unknown: nothing checks it, or it has not been checked yet. */
  readonly state: NodeState
  /** Of this state; wall time in milliseconds; undefined: not known. */
  readonly since: number | undefined
  /** What it is down because of; undefined: it is not, or nothing else. */
  readonly because: string | undefined
}

export interface DependencyEdge {
  readonly from: string
  readonly to: string
  /** false: it works without, only less well. */
  readonly hard: boolean
  /** Others that would do as well. */
  readonly alternatives: readonly string[]
  readonly evidence: readonly Evidence[]
  /** `calls it: 1,204 calls, 12% of its calls, last 3 s ago`. */
  readonly why: string
}

export interface DependencyReport {
  readonly nodes: readonly DependencyNode[]
  readonly edges: readonly DependencyEdge[]
  /** Calls from this machine that the balancer has told of since the control process started, and those whose caller was found to be a service. */
  readonly calls: { readonly told: number; readonly traced: number }
}

export interface DependencyOperations {
  report(): DependencyReport
  /** Throws `unknown_node`. */
  impact(name: string): Impact
  /** Of all that is down, the likeliest first. */
  causes(): readonly RankedCause[]
}
