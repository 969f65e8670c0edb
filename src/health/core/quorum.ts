/**
 * One thing seen from several places. It is down when at least two nodes say so, or more than half of those that can be reached; a single one that says so against others
 * has found that *it* cannot reach it, which is worth a warning and nobody's night. With one node there is nobody to ask, and its word counts.
 * Source: the handbook of health, 1.
 */
export type View = 'up' | 'down' | 'unknown'

export interface Vantage {
  readonly node: string
  /** Whether we can ask it at all. */
  readonly reachable: boolean
  readonly view: View
}

export type QuorumVerdict = { readonly verdict: View } | { readonly verdict: 'partial'; readonly dissenters: readonly string[] }

export function quorum(vantages: readonly Vantage[]): QuorumVerdict {
  const heard = vantages.filter(({ reachable }) => reachable)
  const told = heard.filter(({ view }) => view !== 'unknown')
  if (told.length === 0) return { verdict: 'unknown' }
  const down = told.filter(({ view }) => view === 'down')
  if (down.length === 0) return { verdict: 'up' }
  if (down.length >= 2 || down.length > heard.length / 2) return { verdict: 'down' }
  return { verdict: 'partial', dissenters: down.map(({ node }) => node) }
}
