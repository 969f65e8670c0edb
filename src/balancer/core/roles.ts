/**
 * Decides, out of what the databases of one service say of themselves, which one is the primary. Whoever says "primary" is believed only when
 * nobody who knows of later writes says it too: two may say it at once, since the old one cannot know that it was replaced while it was
 * stopped, or cut off.
 *
 *   nobody ──one says so, all others have been heard──▶ primary ──another one descends from it──▶ the other; this one is stale
 *     ▲                                                    │
 *     └─────────says "replica", or cannot be reached───────┘
 *
 * Later than another is: PostgreSQL: the higher timeline (a promotion begins a new one). Redis: the one whose history holds the replication
 * id of the other (a promoted replica keeps the id of its former primary as its second). Who was superseded once is never believed
 * again while the endpoint that superseded it is there, also when that one is down: its writes are missing here. A Redis that was restarted
 * empty is not believed while a replica has what was written before. When two say it and neither is later, the one that was the primary
 * stays; with none, of two Redis the only one with replicas; else nobody: waiting is better than writing to two.
 */
import type { EndpointRole } from './tcp-view.ts'

/** What a database says of itself. */
export interface RoleAnswer {
  readonly role: 'primary' | 'replica'
  /** Names the data (PostgreSQL: the system identifier): two with different ones are copies of different things. */
  readonly system?: string | undefined
  /** PostgreSQL, of a primary. */
  readonly timeline?: number | undefined
  /** Redis: the id of its present history; replicas have that of their primary. */
  readonly history?: string | undefined
  /** Redis: the id of the history from which it was promoted. */
  readonly ancestor?: string | undefined
  /** Redis: connected replicas. */
  readonly replicas?: number | undefined
  /** Of a replica; undefined: not known. */
  readonly lagMs?: number | undefined
  /** A replica that is being filled: what it has is not whole. */
  readonly filling?: boolean | undefined
}

export type RoleOutcome =
  | { readonly type: 'answered'; readonly answer: RoleAnswer }
  /** It lives and would not say: the password is wrong, or the right to ask is missing. What it said before stands. */
  | { readonly type: 'refused'; readonly reason: string }
  /** `lost`: there is certainly nobody; otherwise there was no answer in time. */
  | { readonly type: 'failed'; readonly reason: string; readonly lost: boolean }

export interface RoleChange {
  readonly endpoint: string
  readonly from: EndpointRole
  readonly to: EndpointRole
  /** Why, where it does not go without saying. */
  readonly reason: string | undefined
}

/** Answers missed in a row until what was said is forgotten. */
const missesMax = 2
/** Between two questions while something is about to change. */
export const transitionMs = 250
/** An endpoint that cannot be reached is asked often for so long. */
const hopeMs = 10_000
/** Superseded histories of Redis that are remembered per service. */
const supersededMax = 32

interface Known {
  said: RoleAnswer | undefined
  heard: boolean
  misses: number
  failingSince: number | undefined
  reason: string | undefined
  refused: string | undefined
  role: EndpointRole
}

export interface RolesOptions {
  readonly intervalMs: number
  /** undefined: any replica may be read from. */
  readonly maxLagMs?: number | undefined
}

export class Roles {
  readonly #options: RolesOptions
  readonly #known = new Map<string, Known>()
  #primary: string | undefined
  /** The last primary, also when it is down; with Redis, the history that it wrote. */
  #incumbent: string | undefined
  #line: string | undefined
  /** PostgreSQL: the latest timeline that was written to, and where. */
  #latest: { readonly system: string | undefined; readonly timeline: number; readonly endpoint: string } | undefined
  /** Redis: histories that somebody has taken over from, and who. */
  readonly #superseded = new Map<string, string>()
  #contested: readonly string[] | undefined

  constructor(options: RolesOptions) {
    this.#options = options
  }

  get primary(): string | undefined {
    return this.#primary
  }

  /** Those who say that they are the primary, when nobody is believed; undefined: it is not like that. */
  get contested(): readonly string[] | undefined {
    return this.#contested
  }

  roleOf(endpoint: string): EndpointRole {
    return this.#known.get(endpoint)?.role ?? 'unknown'
  }

  /** Why it has not told; undefined: it has. */
  reasonOf(endpoint: string): string | undefined {
    const known = this.#known.get(endpoint)
    return known && (known.refused ?? known.reason)
  }

  lagOf(endpoint: string): number | undefined {
    return this.#known.get(endpoint)?.said?.lagMs
  }

  /** By endpoint. */
  get roles(): Record<string, EndpointRole> {
    return Object.fromEntries([...this.#known].map(([id, { role }]) => [id, role]))
  }

  /** The endpoints that there are. What is remembered because of others is forgotten: so an operator lets an old primary write again. */
  setEndpoints(endpoints: readonly string[]): readonly RoleChange[] {
    for (const id of endpoints) {
      if (!this.#known.has(id))
        this.#known.set(id, {
          said: undefined,
          heard: false,
          misses: 0,
          failingSince: undefined,
          reason: undefined,
          refused: undefined,
          role: 'unknown',
        })
    }
    for (const id of [...this.#known.keys()]) if (!endpoints.includes(id)) this.#known.delete(id)
    if (this.#latest && !endpoints.includes(this.#latest.endpoint)) this.#latest = undefined
    for (const [history, by] of this.#superseded) if (!endpoints.includes(by)) this.#superseded.delete(history)
    return this.#decide()
  }

  observe(endpoint: string, outcome: RoleOutcome, now: number): readonly RoleChange[] {
    const known = this.#known.get(endpoint)
    if (known === undefined) return []
    known.heard = true
    known.refused = outcome.type === 'refused' ? outcome.reason : undefined
    if (outcome.type === 'failed') {
      known.misses++
      known.failingSince ??= now
      known.reason = outcome.reason
      if (outcome.lost || known.misses >= missesMax) known.said = undefined
    } else {
      known.misses = 0
      known.failingSince = undefined
      known.reason = undefined
      if (outcome.type === 'answered') known.said = outcome.answer
    }
    // What the others said before it was lost is old: one of them may have been promoted, and whoever comes first need not be that one.
    if (endpoint === this.#primary && known.said?.role !== 'primary') for (const other of this.#known.values()) other.heard = other === known
    return this.#decide()
  }

  /** Until it is asked again. */
  waitMs(endpoint: string, now: number): number {
    const { intervalMs } = this.#options
    const failingSince = this.#known.get(endpoint)?.failingSince
    const soon = this.#primary === undefined || (failingSince !== undefined && now - failingSince < hopeMs)
    return soon ? Math.min(transitionMs, intervalMs) : intervalMs
  }

  // --- deciding -------------------------------------------------------------------------------------------------

  #decide(): readonly RoleChange[] {
    const claims = [...this.#known].flatMap(([id, { said }]) => (said?.role === 'primary' ? [{ id, said }] : []))
    const fresh = claims.filter(({ said }) => !this.#isSuperseded(said) && !this.#isStranger(said))
    this.#primary = this.#choose(fresh)
    if (this.#primary !== undefined) this.#remember(this.#primary, claims)
    return this.#changes()
  }

  #choose(claims: readonly Claim[]): string | undefined {
    this.#contested = undefined
    if (claims.length === 0) return undefined
    const latest = claims.find((claim) => claims.every((other) => other === claim || isLater(claim.said, other.said)))
    const chosen = latest ?? this.#undisputed(claims)
    if (chosen === undefined) {
      this.#contested = claims.map(({ id }) => id)
      return undefined
    }
    // A second one may be about to say that it is later: until everybody has been heard nobody is begun with.
    return chosen.id === this.#primary || [...this.#known.values()].every(({ heard }) => heard) ? chosen.id : undefined
  }

  #undisputed(claims: readonly Claim[]): Claim | undefined {
    const heirs = claims.filter(({ said }) => said.ancestor !== undefined && said.ancestor === this.#line)
    if (heirs.length === 1) return heirs[0]
    const incumbent = claims.find(({ id, said }) => (said.history === undefined ? id === this.#incumbent : said.history === this.#line))
    if (incumbent) return claims.some(({ said }) => isLater(said, incumbent.said)) ? undefined : incumbent
    const followed = claims.filter(({ said }) => (said.replicas ?? 0) > 0)
    return followed.length === 1 ? followed[0] : undefined
  }

  #isSuperseded({ system, timeline, history }: RoleAnswer): boolean {
    if (history !== undefined && this.#superseded.has(history)) return true
    const latest = this.#latest
    return latest !== undefined && timeline !== undefined && latest.system === system && timeline < latest.timeline
  }

  /** Redis: it begins anew, and a replica still has what was written before. */
  #isStranger({ history, ancestor }: RoleAnswer): boolean {
    const line = this.#line
    if (line === undefined || history === undefined || history === line || ancestor === line) return false
    return [...this.#known.values()].some(({ said }) => said?.role === 'replica' && said.history === line)
  }

  #remember(primary: string, claims: readonly Claim[]): void {
    const said = this.#known.get(primary)!.said!
    this.#incumbent = primary
    this.#line = said.history
    if (said.timeline !== undefined) this.#latest = { system: said.system, timeline: said.timeline, endpoint: primary }
    if (said.ancestor !== undefined) this.#supersede(said.ancestor, primary)
    for (const { id, said: other } of claims) {
      if (id !== primary && other.history !== undefined && other.history !== said.history) this.#supersede(other.history, primary)
    }
  }

  #supersede(history: string, by: string): void {
    this.#superseded.set(history, by)
    for (const oldest of this.#superseded.keys()) {
      if (this.#superseded.size <= supersededMax) return
      this.#superseded.delete(oldest)
    }
  }

  #changes(): readonly RoleChange[] {
    const changes: RoleChange[] = []
    for (const [endpoint, known] of this.#known) {
      const to = this.#roleNow(endpoint, known)
      if (to === known.role) continue
      changes.push({ endpoint, from: known.role, to, reason: known.reason })
      known.role = to
    }
    return changes
  }

  #roleNow(endpoint: string, { said }: Known): EndpointRole {
    if (said === undefined) return 'unknown'
    if (said.role === 'primary')
      return endpoint === this.#primary ? 'primary' : this.#primary === undefined && !this.#isSuperseded(said) ? 'unknown' : 'stale'
    const { maxLagMs } = this.#options
    const isBehind = maxLagMs !== undefined && said.lagMs !== undefined && said.lagMs > maxLagMs
    return said.filling === true || isBehind ? 'lagging' : 'replica'
  }
}

interface Claim {
  readonly id: string
  readonly said: RoleAnswer
}

/** Whether `a` holds the writes of `b`, and may hold more. */
function isLater(a: RoleAnswer, b: RoleAnswer): boolean {
  if (a.system !== b.system) return false
  if (a.timeline !== undefined && b.timeline !== undefined) return a.timeline > b.timeline
  return a.ancestor !== undefined && a.ancestor === b.history
}
