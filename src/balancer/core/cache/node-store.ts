/**
 * The responses that a node keeps for all of its workers, and who of them asks the origin for what is not there: one for each URL, while the others wait.
 *
 *   get ──kept──▶ found
 *    ├──not kept, nobody asks──▶ lead ──put──▶ (found for all who wait) · ──not to be kept──▶ (go) · ──failed, too late, gone──▶ (the next one leads)
 *    ├──somebody asks──▶ wait
 *    └──not to be kept, as is known──▶ go
 *
 * Where there is a second tier it is looked there first, once for all who ask meanwhile.
 */
import type { Fields } from '../../../cache/core/http/fields.ts'
import { secondaryKey } from '../../../cache/core/http/vary.ts'
import type { StoredFrame, StoreFrame } from './frames.ts'
import { Marks } from './marks.ts'
import type { Invalidation } from './purge.ts'
import { SegmentedLru } from './segmented-lru.ts'

/** Of one URL; HAProxy keeps as many. */
export const variantsMax = 10
/** For so long nobody waits for what could not be kept ("hit for miss"), and so many of these are known. */
export const passMs = 120_000
export const passesMax = 10_000
/** Who leads and says nothing for so long leads no more. */
export const leaseMs = 5_000
/** After so many leaders in a row that failed all ask for themselves. */
export const failuresMax = 2
/** Those who wait for one URL; one more asks for himself. */
export const waitersMax = 10_000
/** An entry with its names and numbers. */
const overheadBytes = 1_536

/** A worker. */
export interface Asker {
  tell(frame: StoreFrame, entry?: NodeEntry): void
}

export interface NodeEntry extends StoredFrame {
  readonly head: Buffer
  readonly body: Buffer
}

export interface Question {
  readonly id: number
  readonly key: string
  readonly leads: boolean
  readonly born?: number | undefined
}

interface Ask extends Question {
  readonly asker: Asker
  readonly request: Fields
}

interface Flight {
  /** undefined: it is being looked for in the second tier. */
  leader: Asker | undefined
  /** The leader's right ends then. */
  until: number
  failures: number
  /** What the second tier said when it was asked. */
  farMark: number | undefined
  waiting: Ask[]
}

export interface Put {
  /** Under which it may be stored in the second tier, too; undefined: it may not. */
  readonly farMark: number | undefined
  /** There was one before. */
  readonly renewed: boolean
}

export interface NodeStoreOptions {
  readonly maxBytes: number
  /** Begins to look for it in the second tier; then `looked`. false: there is none. */
  readonly look: (key: string, request: Fields, mark: number) => boolean
}

const sameVariant = (a: NodeEntry, b: NodeEntry): boolean => a.variant === b.variant && a.vary.join() === b.vary.join()

export class NodeStore {
  readonly #options: NodeStoreOptions
  readonly #entries: SegmentedLru<readonly NodeEntry[]>
  readonly #marks = new Marks()
  /** From the oldest to the newest. */
  readonly #passes = new Map<string, number>()
  readonly #flights = new Map<string, Flight>()
  #fenced = 0

  constructor(options: NodeStoreOptions) {
    this.#options = options
    this.#entries = new SegmentedLru(options.maxBytes)
  }

  get entries(): SegmentedLru<unknown> {
    return this.#entries
  }

  get mark(): number {
    return this.#marks.mark
  }

  /** Responses that came too late to be kept. */
  get fenced(): number {
    return this.#fenced
  }

  advance(to: number): void {
    this.#marks.advance(to)
  }

  resize(maxBytes: number): void {
    if (maxBytes !== this.#entries.maxBytes) this.#entries.resize(maxBytes)
  }

  // --- asking -----------------------------------------------------------------------------------------------------

  get(asker: Asker, question: Question, request: Fields, now: number): void {
    const ask: Ask = { ...question, asker, request }
    if (this.#found(ask, false)) return
    const { key, leads, id } = question
    const flight = this.#flights.get(key)
    if (flight === undefined) this.#begin(ask, now)
    else if ((flight.leader !== undefined && !leads) || flight.waiting.length >= waitersMax) asker.tell({ t: 'go', id, pass: false })
    else {
      flight.waiting.push(ask)
      asker.tell({ t: 'wait', id })
    }
  }

  #begin(ask: Ask, now: number): void {
    const { asker, key, leads, id, request } = ask
    const pass = this.#passesAt(key, now)
    const looks = !pass && this.#options.look(key, request, this.mark)
    if (!looks && (pass || !leads)) {
      asker.tell({ t: 'go', id, pass })
      return
    }
    const flight: Flight = { leader: looks ? undefined : asker, until: now + leaseMs, failures: 0, farMark: undefined, waiting: looks ? [ask] : [] }
    this.#flights.set(key, flight)
    asker.tell(looks ? { t: 'wait', id } : { t: 'lead', id, key, mark: this.mark })
  }

  #found({ asker, id, key, born, request }: Ask, waited: boolean): boolean {
    const variants = this.#entries.get(key)
    if (variants === undefined) return false
    let found: NodeEntry | undefined
    for (const entry of variants) {
      if (entry.bornAt <= (found?.bornAt ?? born ?? -Infinity) || entry.variant !== secondaryKey(entry.vary, request)) continue
      if (this.#marks.standing(key, entry) !== 'gone') found = entry
    }
    if (found === undefined) return false
    const { names, mark, bornAt } = found
    asker.tell({ t: 'found', id, waited, stale: this.#marks.standing(key, found) === 'stale', bornAt, names, mark }, found)
    return true
  }

  leave(asker: Asker, id: number): void {
    for (const flight of this.#flights.values()) flight.waiting = flight.waiting.filter((ask) => ask.asker !== asker || ask.id !== id)
  }

  /** The second tier has answered; undefined: it does not have it. `farMark`: undefined when it does not answer. */
  looked(key: string, entry: NodeEntry | undefined, farMark: number | undefined, now: number): void {
    const flight = this.#flights.get(key)
    if (flight === undefined || flight.leader !== undefined) return
    if (entry !== undefined) this.#keep(entry)
    flight.farMark = farMark
    this.#settle(key, flight, now, false)
  }

  // --- leading ----------------------------------------------------------------------------------------------------

  /** false: it came too late to be kept at all. */
  put(asker: Asker, entry: NodeEntry, now: number): Put | false {
    const { key } = entry
    const renewed = this.#entries.peek(key)?.some((other) => sameVariant(entry, other)) === true
    const kept = this.#keep(entry)
    const flight = this.#flights.get(key)
    const leads = flight?.leader === asker
    if (kept) this.#passes.delete(key)
    else this.#fenced++
    if (leads) {
      if (!kept) flight.failures++
      this.#settle(key, flight, now, kept)
    }
    return kept && { farMark: leads ? flight.farMark : undefined, renewed }
  }

  #keep(entry: NodeEntry): boolean {
    const { key } = entry
    if (this.#marks.standing(key, entry) === 'gone') return false
    const others = (this.#entries.peek(key) ?? []).filter((other) => !sameVariant(entry, other) && this.#marks.standing(key, other) !== 'gone')
    const variants = [entry, ...others].slice(0, variantsMax)
    this.#entries.set(key, variants, key.length + variants.reduce((sum, { head, body }) => sum + overheadBytes + head.length + body.length, 0))
    return true
  }

  over(asker: Asker, key: string, pass: boolean, now: number): void {
    if (pass) this.#pass(key, now)
    const flight = this.#flights.get(key)
    if (flight?.leader !== asker) return
    if (pass) this.#release(key, flight, true)
    else this.#failed(key, flight, now)
  }

  #failed(key: string, flight: Flight, now: number): void {
    flight.failures++
    this.#settle(key, flight, now, false)
  }

  /** Looks what there is for those who wait, and whether one of them leads. `stored`: the rest wants something else than what has come. */
  #settle(key: string, flight: Flight, now: number, stored: boolean): void {
    const waiting: Ask[] = []
    for (const ask of flight.waiting) {
      if (this.#found(ask, true)) continue
      if (ask.leads && !stored) waiting.push(ask)
      else ask.asker.tell({ t: 'go', id: ask.id, pass: false })
    }
    flight.waiting = waiting
    const next = waiting.shift()
    if (next === undefined || flight.failures > failuresMax) {
      next?.asker.tell({ t: 'go', id: next.id, pass: false })
      this.#release(key, flight, false)
      return
    }
    flight.leader = next.asker
    flight.until = now + leaseMs
    next.asker.tell({ t: 'lead', id: next.id, key, mark: this.mark })
  }

  #release(key: string, flight: Flight, pass: boolean): void {
    this.#flights.delete(key)
    for (const { asker, id } of flight.waiting) asker.tell({ t: 'go', id, pass })
  }

  /** A worker has gone. */
  left(asker: Asker, now: number): void {
    for (const [key, flight] of [...this.#flights]) {
      flight.waiting = flight.waiting.filter((ask) => ask.asker !== asker)
      if (flight.leader === asker) this.#failed(key, flight, now)
    }
  }

  /** Rights that have ended. */
  sweep(now: number): void {
    for (const [key, flight] of [...this.#flights]) if (now >= flight.until) this.#failed(key, flight, now)
  }

  #pass(key: string, now: number): void {
    this.#passes.delete(key)
    this.#passes.set(key, now + passMs)
    if (this.#passes.size <= passesMax) return
    for (const oldest of this.#passes.keys()) {
      this.#passes.delete(oldest)
      return
    }
  }

  #passesAt(key: string, now: number): boolean {
    const until = this.#passes.get(key)
    return until !== undefined && now < until
  }

  // --- invalidating -----------------------------------------------------------------------------------------------

  drop(key: string): void {
    this.#entries.delete(key)
  }

  invalidate(invalidation: Invalidation, at: number): void {
    this.#marks.apply(invalidation, at)
    for (const name of invalidation.names) if (!invalidation.soft && name.startsWith('u:')) this.#entries.delete(name.slice(2))
  }

  /** The same of many: returns how many responses it takes, and makes room. */
  purge(invalidation: Invalidation, at: number): number {
    let count = 0
    const standings = (key: string, entries: readonly NodeEntry[]): readonly string[] => entries.map((entry) => this.#marks.standing(key, entry))
    const before = new Map([...this.#entries.entries()].map(([key, entries]) => [key, standings(key, entries)]))
    this.#marks.apply(invalidation, at)
    for (const [key, entries] of [...this.#entries.entries()]) {
      const after = standings(key, entries)
      after.forEach((standing, i) => {
        if (standing !== before.get(key)?.[i]) count++
      })
      if (after.every((standing) => standing === 'gone')) this.#entries.delete(key)
    }
    return count
  }
}
