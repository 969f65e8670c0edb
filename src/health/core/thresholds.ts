/**
 * What a measured value means. Whoever has crossed a threshold has to come back below it by a share of it, so that a value that trembles at the threshold is one
 * crossing and not fifty.
 *
 *     ok ──value ≥ warnAt──▶ warning ──value ≥ criticalAt──▶ critical
 *      ◀─value < warnAt × (1 − hysteresis)─      ◀─value < criticalAt × (1 − hysteresis)─
 */
import type { CheckLevel } from '../types.ts'

export interface Bounds {
  readonly warnAt: number | undefined
  readonly criticalAt: number | undefined
  /** Less is worse: days left of a certificate. */
  readonly falling: boolean
  /** Share of a threshold. */
  readonly hysteresis: number
}

export const rank: Readonly<Record<CheckLevel, number>> = { ok: 0, warning: 1, critical: 2 }

export function levelOf(value: number, before: CheckLevel, bounds: Bounds): CheckLevel {
  if (crossed(value, bounds.criticalAt, bounds, rank[before] >= rank.critical)) return 'critical'
  return crossed(value, bounds.warnAt, bounds, rank[before] >= rank.warning) ? 'warning' : 'ok'
}

function crossed(value: number, threshold: number | undefined, { falling, hysteresis }: Bounds, isBeyond: boolean): boolean {
  if (threshold === undefined || Number.isNaN(value)) return false
  if (falling) return value <= (isBeyond ? threshold * (1 + hysteresis) : threshold)
  return value >= (isBeyond ? threshold * (1 - hysteresis) : threshold)
}
