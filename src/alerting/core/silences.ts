/**
 * Silences: for a time, alerts that match are not told. Set, changed and ended as in Alertmanager (silence/silence.go), and bounded besides, as what is silenced and
 * forgotten hides the next outage: at most a week unless forced, with a reminder before the end.
 *
 *   pending ──startsAt──▶ active ──endsAt, or expired by hand──▶ expired (kept five days)
 */
import { HoldfastError } from '../../kernel/errors.ts'
import type { Labels } from '../../kernel/labels.ts'
import { matches, plainsOf, written, type Matcher } from './matchers.ts'
import { SilenceIndex } from './silence-index.ts'

export interface Silence {
  readonly id: string
  readonly matchers: readonly Matcher[]
  readonly startsAt: number
  readonly endsAt: number
  readonly updatedAt: number
  readonly createdBy: string
  readonly comment: string
  /** Over as soon as all that it kept quiet is resolved. */
  readonly endOnResolve: boolean
  /** Alerts that it has kept quiet. */
  readonly matched: number
  /** Somebody was told that it ends soon. */
  readonly reminded: boolean
  /** Its end was told. */
  readonly closed: boolean
}

/** As it is written down. */
export interface SilenceRecord extends Silence {
  /** Fingerprints of the alerts that it has kept quiet: those are not counted again. */
  readonly kept?: readonly string[]
}

export interface SilenceDraft {
  readonly id?: string | undefined
  readonly matchers: readonly Matcher[]
  readonly startsAt: number
  readonly endsAt: number
  readonly createdBy: string
  readonly comment: string
  readonly endOnResolve?: boolean | undefined
  /** It may last longer than a week. */
  readonly force?: boolean | undefined
}

export type SilenceState = 'pending' | 'active' | 'expired'

const hour = 3_600_000
export const silenceLimits = {
  /** Not expired, at once. */
  silencesMax: 5_000,
  /** Of those, without a plain `name=value`: each alert is held against all of them. */
  broadMax: 500,
  /** That are over; the oldest are forgotten first. */
  expiredMax: 5_000,
  /** Alerts that each remembers to have kept quiet; the oldest are forgotten first, and count anew. */
  keptMax: 10_000,
  /** Of those, over a restart. */
  keptWrittenMax: 1_000,
  matchersMax: 64,
  /** Longer ones are forgotten. */
  longestMs: 7 * 24 * hour,
  remindBeforeMs: hour,
  /** Silences shorter than this need no reminder. */
  remindFromMs: 2 * hour,
  keptMs: 120 * hour,
  textCharactersMax: 2_048,
  /** Of a regular expression: the longest that anybody means. */
  valueCharactersMax: 2_048,
} as const

export function silenceState({ startsAt, endsAt }: Pick<Silence, 'startsAt' | 'endsAt'>, now: number): SilenceState {
  if (now < startsAt) return 'pending'
  return now < endsAt ? 'active' : 'expired'
}

export interface SilenceChanges {
  readonly ended: readonly Silence[]
  readonly expiring: readonly Silence[]
}

export class SilenceBook {
  readonly #silences = new Map<string, Silence>()
  readonly #index = new SilenceIndex()
  /** Fingerprints that each has kept quiet. */
  readonly #kept = new Map<string, Set<string>>()
  /** Not yet written down. */
  readonly dirty = new Set<string>()

  restore(records: Iterable<SilenceRecord>): void {
    for (const { kept, ...silence } of records) {
      this.#silences.set(silence.id, silence)
      this.#index.add(silence)
      if (kept !== undefined) this.#kept.set(silence.id, new Set(kept))
    }
  }

  /** To be written down; undefined: it is forgotten. */
  record(id: string): SilenceRecord | undefined {
    const silence = this.#silences.get(id)
    const kept = this.#kept.get(id)
    return silence && { ...silence, ...(kept && { kept: [...kept].slice(-silenceLimits.keptWrittenMax) }) }
  }

  get(id: string): Silence | undefined {
    return this.#silences.get(id)
  }

  all(): readonly Silence[] {
    return [...this.#silences.values()]
  }

  /** Makes one, or changes the one with the draft's id; where that cannot be changed it ends, and another begins. Throws `invalid_input`, `unknown_silence`, `conflict`. */
  set(draft: SilenceDraft, now: number, newId: () => string): Silence {
    check(draft, now)
    const before = draft.id === undefined || draft.id === '' ? undefined : this.#silences.get(draft.id)
    if (draft.id !== undefined && draft.id !== '' && before === undefined) throw unknown(draft.id)
    if (before !== undefined && canChange(before, draft, now)) {
      return this.#keep({ ...before, ...fieldsOf(draft), updatedAt: now, reminded: before.reminded && draft.endsAt <= before.endsAt })
    }
    if (before !== undefined && silenceState(before, now) !== 'expired') this.expire(before.id, now)
    this.#mayAdd(draft, now)
    const startsAt = Math.max(draft.startsAt, now)
    return this.#keep({ id: newId(), ...fieldsOf(draft), startsAt, updatedAt: now, matched: 0, reminded: false, closed: false })
  }

  #mayAdd({ matchers }: SilenceDraft, now: number): void {
    const [open, over]: [Silence[], Silence[]] = [[], []]
    for (const silence of this.#silences.values()) (silenceState(silence, now) === 'expired' ? over : open).push(silence)
    if (open.length >= silenceLimits.silencesMax)
      throw new HoldfastError('conflict', `tried to make a silence, found ${open.length} already`, { hint: 'expire what is not needed any more' })
    const broad = plainsOf(matchers).length === 0 ? open.filter((each) => plainsOf(each.matchers).length === 0).length : 0
    if (broad >= silenceLimits.broadMax)
      throw new HoldfastError('conflict', `tried to make a silence, found ${broad} already that have no plain NAME=VALUE`, {
        hint: 'give it one, such as alertname=DiskFull, or expire what is not needed any more',
      })
    const told = over.filter(({ closed }) => closed).sort((a, b) => a.endsAt - b.endsAt)
    for (const { id } of told.slice(0, Math.max(0, over.length - silenceLimits.expiredMax + 1))) this.#forget(id)
  }

  /** Throws `unknown_silence`, or `conflict` when it has ended. */
  expire(id: string, now: number): Silence {
    const silence = this.#silences.get(id)
    if (silence === undefined) throw unknown(id)
    if (silenceState(silence, now) === 'expired') throw new HoldfastError('conflict', `silence ${id} already expired`)
    return this.#keep({ ...silence, startsAt: Math.min(silence.startsAt, now), endsAt: now, updatedAt: now })
  }

  /** Ids of the active silences that match, in order. The reminder of its own end, which names it in the label `silence`, is not kept quiet by it. */
  by(labels: Labels, now: number): readonly string[] {
    const found: string[] = []
    for (const id of this.#index.matching(labels)) {
      const silence = this.#silences.get(id)
      if (silence !== undefined && silenceState(silence, now) === 'active' && labels.silence !== id) found.push(id)
    }
    return found.sort()
  }

  /** It kept this alert quiet; counted once for each. */
  count(id: string, fingerprint: string): void {
    const silence = this.#silences.get(id)
    const kept = this.#kept.get(id) ?? new Set<string>()
    if (silence === undefined || kept.has(fingerprint)) return
    this.#kept.set(id, kept.add(fingerprint))
    for (const oldest of kept) {
      if (kept.size <= silenceLimits.keptMax) break
      kept.delete(oldest)
    }
    this.#keep({ ...silence, matched: silence.matched + 1 })
  }

  /** What has ended or ends soon since the last look; forgets what ended long ago. */
  look(now: number, isFiring: (fingerprint: string) => boolean): SilenceChanges {
    const [ended, expiring]: [Silence[], Silence[]] = [[], []]
    for (const silence of this.#silences.values()) {
      const { id, startsAt, endsAt } = silence
      const state = silenceState(silence, now)
      if (state === 'active' && silence.endOnResolve && this.#isDone(id, isFiring)) {
        ended.push(this.#keep({ ...this.expire(id, now), closed: true }))
      } else if (state === 'expired') {
        if (!silence.closed) ended.push(this.#keep({ ...silence, closed: true }))
        if (now - endsAt > silenceLimits.keptMs) this.#forget(id)
      } else if (!silence.reminded && endsAt - now <= silenceLimits.remindBeforeMs && endsAt - startsAt >= silenceLimits.remindFromMs) {
        expiring.push(this.#keep({ ...silence, reminded: true }))
      }
    }
    return { ended, expiring }
  }

  #isDone(id: string, isFiring: (fingerprint: string) => boolean): boolean {
    const kept = this.#kept.get(id)
    if (kept === undefined || kept.size === 0) return false
    for (const fingerprint of kept) if (isFiring(fingerprint)) return false
    return true
  }

  #keep(silence: Silence): Silence {
    if (!this.#silences.has(silence.id)) this.#index.add(silence)
    this.#silences.set(silence.id, silence)
    this.dirty.add(silence.id)
    return silence
  }

  #forget(id: string): void {
    const silence = this.#silences.get(id)
    if (silence) this.#index.remove(silence)
    this.#silences.delete(id)
    this.#kept.delete(id)
    this.dirty.add(id)
  }
}

function fieldsOf({ matchers, startsAt, endsAt, createdBy, comment, endOnResolve = false }: SilenceDraft) {
  return { matchers, startsAt, endsAt, createdBy, comment, endOnResolve }
}

const unknown = (id: string): HoldfastError => new HoldfastError('unknown_silence', `looked for silence ${id}, found no such silence`)
const refuse = (why: string, hint?: string): HoldfastError =>
  new HoldfastError('invalid_input', `tried to make a silence: ${why}`, hint === undefined ? {} : { hint })

function check({ matchers, startsAt, endsAt, createdBy, comment, force = false }: SilenceDraft, now: number): void {
  const { matchersMax, longestMs, textCharactersMax, valueCharactersMax } = silenceLimits
  if (matchers.length === 0) throw refuse('it has no matcher')
  if (matchers.length > matchersMax) throw refuse(`it has more than ${matchersMax} matchers`)
  for (const matcher of matchers) {
    if (matcher.value.length > valueCharactersMax) throw refuse(`the value of ${matcher.name} is longer than ${valueCharactersMax} characters`)
  }
  if (matchers.every((matcher) => matches([matcher], {}))) throw refuse('at least one matcher must not match the empty string')
  if (!Number.isFinite(startsAt) || !Number.isFinite(endsAt)) throw refuse('its beginning or end is no time')
  if (endsAt <= startsAt) throw refuse('start time must be before end time')
  if (endsAt < now) throw refuse("end time can't be in the past")
  if (!force && endsAt - Math.max(startsAt, now) > longestMs)
    throw refuse('it lasts longer than 7 days', 'make it shorter, or force it: what is silenced for long hides the next outage')
  if (createdBy.trim() === '') throw refuse('it does not say who makes it (createdBy)')
  if (comment.trim() === '') throw refuse('it does not say why (comment)')
  if (comment.length > textCharactersMax || createdBy.length > textCharactersMax)
    throw refuse(`its comment is longer than ${textCharactersMax} characters`)
}

/** What has begun keeps its beginning; what has ended stays so; the matchers make the silence. */
function canChange(before: Silence, draft: SilenceDraft, now: number): boolean {
  if (JSON.stringify(before.matchers.map(written).sort()) !== JSON.stringify(draft.matchers.map(written).sort())) return false
  switch (silenceState(before, now)) {
    case 'active':
      return draft.startsAt === before.startsAt && draft.endsAt >= now
    case 'pending':
      return draft.startsAt >= now
    case 'expired':
      return false
  }
}
