/**
 * The engine: makes every check in its time, and says what became of it.
 *
 *   timer ─▶ a place (`run-slots.ts`) ─▶ one run, cut by its timeout ─▶ thresholds ─▶ is it us? does traffic know better? what do others see? ─▶ monitor ─▶ events
 *     ▲                                                                                                                                        │
 *     └────────────────────────── interval ± 10 %; a second while it is suspect or comes back ────────────────────────────────────────────────┘
 *
 * Nothing that one check does can hold another one: its run ends with its timeout, and whoever only waits for an answer has no place.
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Random } from '../kernel/random.ts'
import { elapsed, wallTime, type Clock, type Instant } from '../kernel/time.ts'
import { Groups } from '../dependencies/core/related.ts'
import { Announcer } from './announcer.ts'
import { Checker, type Judged } from './checker.ts'
import { hostOf, isLocal } from './core/addresses.ts'
import { nextCheckMs } from './core/monitor.ts'
import { quorum } from './core/quorum.ts'
import { firstAt, isLate, nextAt } from './core/schedule.ts'
import { trafficSays } from './core/traffic-veto.ts'
import { Heartbeats, type Beat } from './heartbeats.ts'
import { OwnNetwork, type Witness } from './own-network.ts'
import { runOnce, type RunResult } from './one-run.ts'
import type { CheckMemory, Related, RememberedCheck, TrafficReader, VantagePoints } from './ports.ts'
import { RunSlots } from './run-slots.ts'
import type { CheckDefinition, CheckDetail, CheckStatus, NetworkView, Probe } from './types.ts'

export interface ChecksDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly canaries: () => readonly Probe[]
  readonly memory?: CheckMemory
  readonly traffic?: TrafficReader
  readonly vantages?: VantagePoints
  readonly related?: Related
  /** Something of ours failed that changes no check. */
  readonly onProblem?: (error: unknown) => void
}

/** What hangs together is found out anew after this time. */
const groupsFreshMs = 1_000

interface Entry {
  readonly checker: Checker
  timer: Disposable | undefined
  waiting: Disposable | undefined
  running: boolean
  /** Those that wait for the next outcome. */
  waiters: (() => void)[]
}

export class Checks {
  readonly #deps: ChecksDeps
  readonly #entries = new Map<string, Entry>()
  readonly #slots: RunSlots
  readonly #network: OwnNetwork
  readonly #announcer: Announcer
  readonly heartbeats: Heartbeats
  #remembered: Readonly<Record<string, RememberedCheck>> = {}
  #running = false
  /** How late checks began, at worst, since the last question. */
  #worstLatenessMs = 0
  #runs = 0
  #grouped: { readonly at: Instant; readonly groups: ReadonlyMap<string, string> } | undefined

  constructor(deps: ChecksDeps) {
    this.#deps = deps
    this.#slots = new RunSlots(deps.clock)
    this.heartbeats = new Heartbeats(deps.clock)
    this.#announcer = new Announcer(deps.events)
    this.#network = new OwnNetwork({
      clock: deps.clock,
      canaries: deps.canaries,
      witnesses: (group) => this.#witnesses(group),
      onChange: (view, forMs) => {
        this.#announcer.network(view, forMs)
      },
    })
  }

  /** What was known before a restart is known again. */
  async start(): Promise<void> {
    this.#remembered = (await this.#deps.memory?.load()) ?? {}
    for (const [name, { beatAt }] of Object.entries(this.#remembered)) if (beatAt !== undefined) this.heartbeats.restore(name, beatAt)
    this.#running = true
    for (const entry of this.#entries.values()) this.#begin(entry)
  }

  /** What is remembered of checks that are not there any more is forgotten. */
  async forgetOthers(): Promise<void> {
    for (const name of Object.keys(this.#remembered)) if (!this.#entries.has(name)) await this.#deps.memory?.save(name, undefined)
  }

  stop(): void {
    this.#running = false
    this.#network.stop()
    for (const name of [...this.#entries.keys()]) this.#end(name)
  }

  /** These are the checks from now on. One that is as before goes on as before; what changed begins anew. */
  apply(definitions: readonly CheckDefinition[]): void {
    this.#grouped = undefined
    const wanted = new Map(definitions.map((definition) => [definition.name, definition]))
    for (const [name, { checker }] of this.#entries) {
      if (wanted.get(name)?.identity === checker.definition.identity) wanted.delete(name)
      else if (checker.definition.kind !== 'custom' || wanted.has(name)) this.#end(name)
    }
    for (const definition of wanted.values()) this.#add(definition)
  }

  /** One more. Throws `conflict` when there is one of that name. */
  register(definition: CheckDefinition): Disposable {
    if (this.#entries.has(definition.name))
      throw new HoldfastError('conflict', `tried to register the check ${definition.name}: there is one of that name`)
    const entry = this.#add(definition)
    return {
      [Symbol.dispose]: () => {
        if (this.#entries.get(definition.name) === entry) this.#end(definition.name)
      },
    }
  }

  list(): readonly CheckStatus[] {
    return [...this.#entries.values()].map(({ checker }) => checker.status())
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  get(name: string): CheckDetail {
    return this.#entry(name).checker.detail()
  }

  get network(): NetworkView {
    return this.#network.view
  }

  /** Runs made, and how late the latest of them began, since this was last asked. */
  takeCounts(): { readonly runs: number; readonly worstLatenessMs: number } {
    const counts = { runs: this.#runs, worstLatenessMs: this.#worstLatenessMs }
    this.#runs = 0
    this.#worstLatenessMs = 0
    return counts
  }

  /** Makes it now, whenever its turn is. Resolves with what came of it. */
  async run(name: string): Promise<CheckDetail> {
    const entry = this.#entry(name)
    if (entry.checker.monitor.state === 'paused')
      throw new HoldfastError('conflict', `tried to run the check ${name}, which is paused`, { hint: `holdfast checks resume ${name}` })
    const done = new Promise<void>((resolve) => entry.waiters.push(resolve))
    if (!entry.running && entry.waiting === undefined) this.#due(entry, this.#deps.clock.now())
    await done
    return entry.checker.detail()
  }

  pause(name: string): CheckDetail {
    const entry = this.#entry(name)
    entry.timer?.[Symbol.dispose]()
    entry.waiting?.[Symbol.dispose]()
    entry.waiting = undefined
    entry.checker.nextAt = undefined
    // Who waits for a run that will not be made would wait until somebody resumes it.
    if (!entry.running) for (const waiter of entry.waiters.splice(0)) waiter()
    entry.checker.pause(this.#deps.clock.wallTime(), this.#deps.clock.now())
    this.#remember(entry)
    return entry.checker.detail()
  }

  resume(name: string): CheckDetail {
    const entry = this.#entry(name)
    if (entry.checker.monitor.state === 'paused') {
      entry.checker.resume(this.#deps.clock.wallTime(), this.#deps.clock.now())
      this.#remember(entry)
      if (this.#running && !entry.running) this.#plan(entry, this.#deps.clock.now())
    }
    return entry.checker.detail()
  }

  /** Throws `invalid_input` for a check that expects none. */
  beat(name: string, beat: Beat): CheckDetail {
    const entry = this.#entry(name)
    if (entry.checker.definition.kind !== 'heartbeat')
      throw new HoldfastError('invalid_input', `the check ${name} is of kind ${entry.checker.definition.kind} and expects no heartbeat`)
    this.heartbeats.beat(name, beat)
    this.#remember(entry)
    if (entry.checker.monitor.state !== 'paused' && this.#running && !entry.running && entry.waiting === undefined)
      this.#due(entry, this.#deps.clock.now())
    return entry.checker.detail()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (entry) return entry
    const known = [...this.#entries.keys()].slice(0, 20).join(', ')
    throw new HoldfastError('unknown_check', `looked for the check ${name}, found no such check`, {
      hint: known === '' ? 'there are none: see health.checks of the configuration' : `there are: ${known}`,
    })
  }

  #add(definition: CheckDefinition): Entry {
    const { clock } = this.#deps
    const checker = new Checker(definition, clock.wallTime(), clock.now(), this.#remembered[definition.name])
    const entry: Entry = { checker, timer: undefined, waiting: undefined, running: false, waiters: [] }
    this.#entries.set(definition.name, entry)
    if (this.#running) this.#begin(entry)
    return entry
  }

  #begin(entry: Entry): void {
    const { name, intervalMs } = entry.checker.definition
    if (entry.checker.monitor.state === 'paused') return
    this.#schedule(entry, firstAt(name, intervalMs, this.#deps.clock.now()))
  }

  #end(name: string): void {
    const entry = this.#entries.get(name)
    if (!entry) return
    this.#entries.delete(name)
    entry.timer?.[Symbol.dispose]()
    entry.waiting?.[Symbol.dispose]()
    entry.checker.close()
    for (const waiter of entry.waiters.splice(0)) waiter()
    if (this.#running) this.#deps.memory?.save(name, undefined).catch((error: unknown) => this.#deps.onProblem?.(error))
  }

  #isThere(entry: Entry): boolean {
    return this.#running && this.#entries.get(entry.checker.name) === entry
  }

  #schedule(entry: Entry, at: number): void {
    const { clock } = this.#deps
    entry.timer?.[Symbol.dispose]()
    entry.checker.nextAt = wallTime(clock.wallTime() + Math.max(0, at - clock.now()))
    entry.timer = clock.schedule(at as Instant, () => {
      this.#due(entry, at)
    })
  }

  #plan(entry: Entry, due: number): void {
    if (!this.#isThere(entry) || entry.checker.monitor.state === 'paused') return
    const { clock, random } = this.#deps
    this.#schedule(entry, nextAt(due, nextCheckMs(entry.checker.monitor, entry.checker.rules), clock.now(), random))
  }

  #due(entry: Entry, due: number): void {
    const { clock } = this.#deps
    const { checker } = entry
    entry.timer?.[Symbol.dispose]()
    entry.timer = undefined
    if (checker.isHeld(clock.now())) {
      const message = 'the run before has not come to its end, long after its timeout'
      this.#conclude(entry, due, { outcome: 'fail', message, latencyMs: 0 }, false)
      return
    }
    entry.waiting = this.#slots.enter(checker.definition.address, (done) => {
      entry.waiting = undefined
      entry.running = true
      const began = clock.now()
      const settled = checker.begin(began)
      this.#runs++
      this.#worstLatenessMs = Math.max(this.#worstLatenessMs, began - due)
      const late = isLate(due, began, checker.definition.intervalMs)
      const ended = (result: RunResult): void => {
        done()
        entry.running = false
        this.#conclude(entry, due, result, late)
      }
      runOnce(checker.probe, checker.definition.timeoutMs, clock, ended, settled)
    })
    if (entry.running) entry.waiting = undefined
  }

  #conclude(entry: Entry, due: number, result: RunResult, late: boolean): void {
    if (!this.#isThere(entry)) {
      for (const waiter of entry.waiters.splice(0)) waiter()
      return
    }
    const judged = entry.checker.judge(result)
    void this.#weigh(entry, judged, late)
      .then((outcome) => {
        if (this.#isThere(entry) && entry.checker.monitor.state !== 'paused') this.#take(entry, outcome)
      })
      .catch((error: unknown) => this.#deps.onProblem?.(error))
      .finally(() => {
        for (const waiter of entry.waiters.splice(0)) waiter()
        this.#plan(entry, due)
      })
  }

  /** Whether the run says what it seems to say. */
  async #weigh({ checker }: Entry, judged: Judged, late: boolean): Promise<Judged> {
    const { definition } = checker
    this.#lookAtTraffic(checker, judged)
    if (judged.outcome !== 'fail') return judged
    const ours = (why: string): Judged => ({ ...judged, outcome: 'inconclusive', message: `${why}: ${judged.message}` })
    if (late) return ours('it began too late to count')
    if (checker.cause === 'probe broken') return ours(`${definition.service ?? ''} does well with real requests`)
    const { address } = definition
    if (address !== undefined && !isLocal(address)) {
      if (this.#network.view.blind) return ours('this node does not see the network')
      if (checker.wouldFall() && (await this.#network.isOurs(this.#groupOf(definition)))) return ours('this node does not see the network')
    }
    if (checker.wouldFall()) {
      const verdict = quorum([{ node: 'this', reachable: true, view: 'down' }, ...(this.#deps.vantages?.of(checker.name) ?? [])])
      if (verdict.verdict === 'partial') {
        this.#announcer.partial(definition, judged.message)
        return ours('other nodes see it')
      }
    }
    return judged
  }

  #lookAtTraffic(checker: Checker, { outcome, message }: Judged): void {
    const { service, intervalMs } = checker.definition
    if (service === undefined || outcome === 'inconclusive') return
    const recent = this.#deps.traffic?.recent(service, intervalMs)
    const cause = recent && trafficSays(outcome === 'pass', recent)
    if (cause !== checker.cause && cause !== undefined) this.#announcer.traffic(checker.definition, cause, message)
    checker.cause = cause
  }

  #take(entry: Entry, judged: Judged): void {
    const { clock } = this.#deps
    const { checker } = entry
    const { before, levelBefore } = checker.take(judged, clock.wallTime(), clock.now())
    this.#announcer.outcome(checker, before, levelBefore, judged)
    const fell = (state: string): boolean => state === 'down' || state === 'recovering'
    if (fell(before.state) !== fell(checker.monitor.state)) this.#remember(entry)
  }

  #remember({ checker }: Entry): void {
    const remembered = checker.remembered(this.heartbeats.last(checker.name)?.at)
    this.#deps.memory?.save(checker.name, remembered).catch((error: unknown) => this.#deps.onProblem?.(error))
  }

  #groupOf({ name }: CheckDefinition): string {
    return this.#groups().get(name) ?? name
  }

  /** Who has one voice with whom: those of the same host, and those that need the same, also by way of others. */
  #groups(): ReadonlyMap<string, string> {
    const now = this.#deps.clock.now()
    if (this.#grouped !== undefined && elapsed(this.#grouped.at, now) < groupsFreshMs) return this.#grouped.groups
    const groups = new Groups()
    const need = (name: string): string => `need ${this.#deps.related?.(name) ?? this.#root(name, new Set()) ?? name}`
    const all = [...this.#entries.values()].map(({ checker: { definition } }) => definition)
    for (const { name, address } of all) if (address !== undefined && !isLocal(address)) groups.join(need(name), `host ${hostOf(address)}`)
    this.#grouped = { at: now, groups: new Map(all.map(({ name }) => [name, groups.of(need(name))])) }
    return this.#grouped.groups
  }

  /** What it goes back to by what is declared; undefined: nothing. */
  #root(name: string, seen: Set<string>): string | undefined {
    const [first] = this.#entries.get(name)?.checker.definition.dependsOn ?? []
    if (first === undefined || seen.has(first)) return seen.size === 0 ? undefined : name
    return this.#root(first, seen.add(name)) ?? first
  }

  #witnesses(group: string | undefined): readonly Witness[] {
    const found: Witness[] = []
    for (const { checker } of this.#entries.values()) {
      const { definition, believed } = checker
      // Whoever is only suspect now passed before: it may fail for the same reason.
      if (definition.address === undefined || isLocal(definition.address) || believed !== 'up') continue
      const own = this.#groupOf(definition)
      if (own !== group) found.push({ name: definition.name, group: own, timeoutMs: definition.timeoutMs, probe: checker.probe })
    }
    return found
  }
}
