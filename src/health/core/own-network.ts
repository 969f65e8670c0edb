/**
 * Is it they, or is it us? When nearly everything that is unrelated fails at once, the likeliest thing that broke is this node's own network.
 *
 *   sighted ──all canaries fail, or ≥ 80 % of what passed before and is unrelated fails now──▶ blind ──a canary answers, or half of them pass──▶ sighted
 *
 * It is asked in time: before a check is taken for down, others that passed are looked at again at once (a survey), because by their own turns they would fail one after
 * the other, each of them believed. What belongs together (the same host, dependants of the same thing) has one voice, or the death of a gateway would look like our own.
 *
 * Source of the 80 %: the handbook of health, 1; the road not taken there is canaries alone, which most operators do not set up.
 */
export const blindShare = 0.8
/** As many voices besides the one that asks, or nothing can be said. */
export const voicesMin = 4
/** More are not asked. */
export const voicesMax = 10
/** Share of voices that must pass for a blind node to see again. */
export const sightedShare = 0.5

/** What a survey found of one that passed before. */
export interface Voice {
  /** Those with the same one count once. */
  readonly group: string
  readonly passed: boolean
}

/** By group: it failed when none of it passed. The group of whoever asks does not count. */
function tally(voices: readonly Voice[], asking: string | undefined): { readonly groups: number; readonly failed: number } {
  const passed = new Map<string, boolean>()
  for (const voice of voices) if (voice.group !== asking) passed.set(voice.group, voice.passed || (passed.get(voice.group) ?? false))
  return { groups: passed.size, failed: [...passed.values()].filter((one) => !one).length }
}

/** undefined: cannot be said. */
export function isBlind(voices: readonly Voice[], asking: string, canaries: readonly boolean[]): boolean | undefined {
  if (canaries.length >= 2) return canaries.every((answered) => !answered)
  const { groups, failed } = tally(voices, asking)
  return groups < voicesMin ? undefined : failed / groups >= blindShare
}

export function seesAgain(voices: readonly Voice[], canaries: readonly boolean[]): boolean {
  if (canaries.length >= 2) return canaries.some((answered) => answered)
  const { groups, failed } = tally(voices, undefined)
  return groups > 0 && (groups - failed) / groups >= sightedShare
}
