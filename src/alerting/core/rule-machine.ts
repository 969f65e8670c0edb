/**
 * One alert of a rule: one label set for which its expression has been true. Source of the rules: Prometheus, rules/alerting.go.
 *
 *   (none) ──true──▶ pending ──true for `for`──▶ firing ──false, and `keepFiringFor` over──▶ resolved ──15 min──▶ (none)
 *                      └──false──▶ (none), without a word      └──true──▶ (the wait begins anew)     └──true──▶ pending
 */
export interface RuleTimes {
  /** How long it must be true. Default 0: at once. */
  readonly forMs?: number
  /** How long it goes on firing after it was true last. Default 0. */
  readonly keepFiringForMs?: number
}

export interface AlertState {
  readonly phase: 'pending' | 'firing' | 'resolved'
  /** Since when it is true. */
  readonly activeAt: number
  readonly firedAt?: number | undefined
  /** It is false since then, and fires on. */
  readonly keptSince?: number | undefined
  readonly resolvedAt?: number | undefined
  readonly lastSentAt?: number | undefined
  readonly value: number
}

/** A resolved alert is told again for so long, so that whoever missed it hears of it. */
export const resolvedRetentionMs = 15 * 60_000
export const resendMs = 60_000
/** `for` goes on after a restart when the gap was no longer. */
export const outageToleranceMs = 60 * 60_000
/** What is restored fires no earlier than this after the restart, so that a true sample is seen first. */
export const graceMs = 10 * 60_000

/** The state after one evaluation; undefined: there is nothing any more. `value`: undefined when the expression is not true. */
export function evaluate(before: AlertState | undefined, value: number | undefined, now: number, times: RuleTimes): AlertState | undefined {
  return value === undefined ? whenFalse(before, now, times) : whenTrue(before, value, now, times)
}

function whenTrue(before: AlertState | undefined, value: number, now: number, { forMs = 0 }: RuleTimes): AlertState {
  const state = before === undefined || before.phase === 'resolved' ? begun(before, value, now) : { ...before, value, keptSince: undefined }
  if (state.phase === 'pending' && now - state.activeAt >= forMs) return { ...state, phase: 'firing', firedAt: now }
  return state
}

const begun = (before: AlertState | undefined, value: number, now: number): AlertState => ({
  phase: 'pending',
  activeAt: now,
  value,
  lastSentAt: before?.lastSentAt,
})

function whenFalse(before: AlertState | undefined, now: number, { keepFiringForMs = 0 }: RuleTimes): AlertState | undefined {
  switch (before?.phase) {
    case undefined:
    case 'pending':
      return undefined
    case 'resolved':
      return now - (before.resolvedAt ?? now) > resolvedRetentionMs ? undefined : before
    case 'firing': {
      const keptSince = before.keptSince ?? now
      if (keepFiringForMs > 0 && now - keptSince < keepFiringForMs) return { ...before, keptSince }
      return { ...before, phase: 'resolved', resolvedAt: now, keptSince: undefined }
    }
  }
}

/** Whether whoever routes alerts is to be told of it now. */
export function mustSend({ phase, resolvedAt, lastSentAt }: AlertState, now: number): boolean {
  if (phase === 'pending') return false
  if (lastSentAt === undefined) return true
  return (resolvedAt !== undefined && resolvedAt > lastSentAt) || lastSentAt + resendMs < now
}

/** Who hears nothing more of a firing alert takes it for resolved from then on. */
export const endsAt = ({ resolvedAt }: AlertState, now: number, intervalMs: number): number => resolvedAt ?? now + 4 * Math.max(intervalMs, resendMs)

/**
 * A pending or firing alert as it goes on after a restart. The time without us counts for `for`, but for the last `graceMs` of it a true sample must be
 * seen; after too long an outage it begins anew.
 */
export function restored(saved: AlertState, savedAt: number, now: number, { forMs = 0 }: RuleTimes): AlertState | undefined {
  if (saved.phase === 'resolved') return saved
  if (now - savedAt > outageToleranceMs) return undefined
  if (saved.phase === 'firing') return saved
  const spent = savedAt - saved.activeAt
  const left = Math.max(forMs - spent, 0)
  if (left <= 0) return saved
  return { ...saved, activeAt: left < graceMs ? Math.min(now + graceMs, now + forMs) - forMs : saved.activeAt + (now - savedAt) }
}
