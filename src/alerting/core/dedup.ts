/** Whether a group is worth another notification (Alertmanager, notify.DedupStage). */
export interface NotifiedEntry {
  readonly at: number
  readonly firing: ReadonlySet<string>
  readonly resolved: ReadonlySet<string>
}

export interface GroupNow {
  readonly firing: ReadonlySet<string>
  readonly resolved: ReadonlySet<string>
}

export type WhyNotify = 'first' | 'new firing' | 'all resolved' | 'new resolved' | 'repeat'

/** undefined: nobody hears anything. */
export function whyNotify(
  last: NotifiedEntry | undefined,
  { firing, resolved }: GroupNow,
  { now, repeatMs, sendResolved }: { readonly now: number; readonly repeatMs: number; readonly sendResolved: boolean },
): WhyNotify | undefined {
  if (last === undefined) return firing.size > 0 ? 'first' : undefined
  if (!isSubset(firing, last.firing)) return 'new firing'
  if (firing.size === 0) return last.firing.size > 0 ? 'all resolved' : undefined
  if (sendResolved && !isSubset(resolved, last.resolved)) return 'new resolved'
  return last.at < now - repeatMs ? 'repeat' : undefined
}

function isSubset(these: ReadonlySet<string>, those: ReadonlySet<string>): boolean {
  for (const each of these) if (!those.has(each)) return false
  return true
}
