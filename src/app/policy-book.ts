/**
 * What is known of policies: when each ran, why it last did not, what it is at. Runs are written down before anything is done, so that whoever dies of what it does, or
 * in the midst of it, does not do it again as soon as it is back.
 */
import type { PolicyConfig } from '../config/types.ts'
import { mayRun, remembered, type PolicyRules, type PolicyVerdict } from '../health/core/policy.ts'
import type { StateStore } from '../store/index.ts'

const prefix = 'policies/runs/'
/** Kinds of refusals that are told apart until it runs again. */
const toldMax = 50

/** What it is doing. */
export interface Acting {
  readonly action: string
  readonly target: string
  readonly since: number
  /** The event that set it off. */
  readonly cause: string
  /** Of a command: its process, and when that began, in ticks of the kernel. */
  readonly process?: { readonly pid: number; readonly startTicks: number } | undefined
}

export interface Happened {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly reason: string
}

export interface Standing {
  /** Wall times, rising; those that still matter. */
  runs: readonly number[]
  total: number
  lastRun: number | undefined
  busy: boolean
  refusals: number
  refused: Happened | undefined
  failed: Happened | undefined
  /** Kinds of reasons that were told since it last ran. */
  readonly told: Set<string>
}

interface Kept {
  readonly runs: readonly number[]
  readonly total: number
  readonly acting?: Acting | undefined
}

export const rulesOf = ({ cooldown, limit }: PolicyConfig): PolicyRules => ({ cooldownMs: cooldown, limit: { count: limit.count, per: limit.per } })

export class PolicyBook {
  readonly #store: StateStore
  readonly #onProblem: (error: unknown) => void
  readonly #standings = new Map<string, Standing>()

  constructor(store: StateStore, onProblem: (error: unknown) => void) {
    this.#store = store
    this.#onProblem = onProblem
  }

  /** Resolves with what was being done when the process before this one ended. Policies that are not there any more are forgotten. */
  async load(isThere: (name: string) => boolean): Promise<readonly (readonly [name: string, acting: Acting])[]> {
    const interrupted: (readonly [string, Acting])[] = []
    for (const { key, value } of await this.#store.list<Kept>(prefix)) {
      const name = key.slice(prefix.length)
      const { runs, total, acting } = value
      if (acting) interrupted.push([name, acting])
      if (!isThere(name)) await this.#store.commit({ writes: [{ delete: key }] })
      else Object.assign(this.of(name), { runs, total, lastRun: runs.at(-1) })
    }
    return interrupted
  }

  of(name: string): Standing {
    const known = this.#standings.get(name)
    if (known) return known
    const told = new Set<string>()
    const standing: Standing = { runs: [], total: 0, lastRun: undefined, busy: false, refusals: 0, refused: undefined, failed: undefined, told }
    this.#standings.set(name, standing)
    return standing
  }

  mayRun(policy: PolicyConfig, now: number): PolicyVerdict {
    const standing = this.of(policy.name)
    standing.runs = remembered(standing.runs, now, rulesOf(policy))
    return mayRun(standing.runs, now, rulesOf(policy))
  }

  /** It runs now. */
  ran(name: string, now: number): void {
    const standing = this.of(name)
    standing.runs = [...standing.runs, now]
    standing.total++
    standing.lastRun = now
    standing.refused = undefined
    standing.told.clear()
  }

  /** Whether it is news: each kind of reason once until it runs again, so that a storm of events is no storm of refusals. */
  refused(name: string, reason: string, now: number): boolean {
    const standing = this.of(name)
    standing.refusals++
    standing.refused = { at: now, reason }
    const kind = reason.replace(/\d+/g, '#')
    if (standing.told.has(kind) || standing.told.size >= toldMax) return false
    standing.told.add(kind)
    return true
  }

  /** A full disk is no reason not to act: it counts here at least, and what would clear the disk may be a policy. */
  async write(name: string, acting: Acting | undefined): Promise<void> {
    const { runs, total } = this.of(name)
    try {
      await this.#store.commit({ writes: [{ put: prefix + name, value: { runs, total, ...(acting && { acting }) } }] })
    } catch (error) {
      this.#onProblem(error)
    }
  }
}
