/**
 * Whether something may be done about something now. What acts by itself must not act itself to death: after a run it waits, and in any hour it runs only so often.
 * Source of the shape: Monit and Nagios event handlers have neither, and are known for restart storms.
 */
export interface PolicyRules {
  /** After a run, so long not again. */
  readonly cooldownMs: number
  /** So many runs in any time of that length; undefined: as often as the cooldown lets it. */
  readonly limit: { readonly count: number; readonly per: number } | undefined
}

export type PolicyVerdict = { readonly go: true } | { readonly go: false; readonly reason: string; readonly againAt: number }

/** `runs`: when it ran, rising. */
export function mayRun(runs: readonly number[], now: number, { cooldownMs, limit }: PolicyRules): PolicyVerdict {
  const last = runs.at(-1)
  if (last !== undefined && now - last < cooldownMs) {
    return {
      go: false,
      reason: `it ran ${Math.round((now - last) / 1_000)} s ago, and waits ${cooldownMs / 1_000} s between two runs`,
      againAt: last + cooldownMs,
    }
  }
  if (limit) {
    const recent = runs.filter((at) => now - at < limit.per)
    const oldest = recent[recent.length - limit.count]
    if (recent.length >= limit.count && oldest !== undefined) {
      return { go: false, reason: `it ran ${recent.length} times within ${limit.per / 1_000} s, which is its limit`, againAt: oldest + limit.per }
    }
  }
  return { go: true }
}

/** Runs that still matter. */
export const remembered = (runs: readonly number[], now: number, { cooldownMs, limit }: PolicyRules): readonly number[] => {
  const reach = Math.max(cooldownMs, limit?.per ?? 0)
  return runs.filter((at) => now - at < reach)
}
