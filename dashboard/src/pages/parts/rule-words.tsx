/** Rules as the API shows them. */
import type { Labels, Severity } from './alert-words.tsx'

export interface RuleAlert {
  readonly labels: Labels
  readonly phase: 'pending' | 'firing'
  readonly since: number
  readonly firedAt: number | null
  readonly value: string
  readonly flapping: boolean
}

export interface Rule {
  readonly name: string
  readonly when: string
  readonly clearWhen: string | null
  readonly forMs: number
  readonly keepFiringForMs: number
  readonly intervalMs: number
  readonly severity: Severity
  readonly labels: Labels
  readonly owner: string | null
  readonly runbook: string | null
  readonly why: string | null
  readonly shipped: boolean
  readonly state: 'inactive' | 'pending' | 'firing' | 'failing' | 'off'
  readonly alerts: readonly RuleAlert[]
  readonly lastAt: number | null
  readonly tookMs: number
  readonly evaluations: number
  readonly missed: number
  readonly error: string | null
}
