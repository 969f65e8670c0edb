/**
 * What is done by itself when something happens. Every run and every refusal is an event with its reason.
 *
 *   event ─▶ a policy that names it and matches ─▶ cooldown, limit ─▶ guards ─▶ written down ─▶ actions, one after the other ─▶ policy.ran | policy.refused | policy.failed
 *
 * What it may do, and what guards that, is `policy-actions.ts`; what it remembers, `policy-book.ts`.
 */
import type { Config, PolicyAction, PolicyConfig } from '../config/types.ts'
import { describeTrigger } from '../config/core/policy-keys.ts'
import { messageOf } from '../kernel/errors.ts'
import type { AnyEvent, EventSink } from '../kernel/events.ts'
import { startTicksOf, stateOf } from '../kernel/process-identity.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import type { StateStore } from '../store/index.ts'
import type { Actor, PolicyStatus } from './operations.ts'
import { actorOf, describeAction, labelsOf, planAction, Refused, serviceOf, type Planned, type PolicyOperations } from './policy-actions.ts'
import { PolicyBook, type Acting } from './policy-book.ts'

export interface PoliciesDeps {
  readonly clock: Clock
  readonly events: EventSink
  readonly store: StateStore
  readonly config: () => Config
  readonly operations: () => PolicyOperations
  readonly onProblem: (error: unknown) => void
}

const ejectedPrefix = 'policies/ejected/'

export class Policies {
  readonly #deps: PoliciesDeps
  readonly #book: PolicyBook
  readonly #timers = new Map<string, Disposable>()
  readonly #stopped = new AbortController()
  #running = false

  constructor(deps: PoliciesDeps) {
    this.#deps = deps
    this.#book = new PolicyBook(deps.store, deps.onProblem)
  }

  /** Runs of before count, what was taken out by a policy gets back in its time, and what was cut short is told. */
  async start(): Promise<void> {
    const { store } = this.#deps
    const names = new Set(this.#policies.map(({ name }) => name))
    for (const [name, acting] of await this.#book.load((each) => names.has(each))) {
      this.#tellInterrupted(name, acting)
      if (names.has(name)) await this.#book.write(name, undefined)
    }
    for (const { key, value } of await store.list<{ readonly until: number }>(ejectedPrefix))
      this.#giveBackLater(key.slice(ejectedPrefix.length), value.until)
    this.#running = true
  }

  /** Commands that run are killed, and told as failed. */
  stop(): void {
    this.#running = false
    this.#stopped.abort()
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#timers.clear()
  }

  list(): readonly PolicyStatus[] {
    const now = this.#deps.clock.wallTime()
    return this.#policies.map((policy) => {
      const { name, on, match, do: actions, enabled, dryRun } = policy
      const { total, lastRun, busy, refusals, refused, failed } = this.#book.of(name)
      const verdict = this.#book.mayRun(policy, now)
      return {
        ...{ name, on: describeTrigger(on), match, enabled, dryRun, refusals, lastRun, running: busy, runs: total },
        actions: actions.map(describeAction),
        againAt: verdict.go ? undefined : verdict.againAt,
        lastRefusal: refused,
        lastFailure: failed,
      }
    })
  }

  /** To be called with every event. */
  hear(event: AnyEvent): void {
    if (!this.#running || event.type.startsWith('policy.')) return
    for (const policy of this.#policies) {
      if (policy.enabled && isMeant(policy, event))
        void this.#consider(policy, event).catch((error: unknown) => {
          this.#deps.onProblem(error)
        })
    }
  }

  get #policies(): readonly PolicyConfig[] {
    return this.#deps.config().policies ?? []
  }

  async #consider(policy: PolicyConfig, event: AnyEvent): Promise<void> {
    const standing = this.#book.of(policy.name)
    const verdict = this.#book.mayRun(policy, this.#deps.clock.wallTime())
    const reason = isOwnDoing(policy, event)
      ? `${event.type} is what it did itself`
      : standing.busy
        ? 'its last run is not over'
        : verdict.go
          ? undefined
          : verdict.reason
    if (reason !== undefined) {
      this.#refuse(policy, event, reason, policy.do[0])
      return
    }
    standing.busy = true
    try {
      await this.#act(policy, event)
    } finally {
      standing.busy = false
    }
  }

  #refuse({ name }: PolicyConfig, { id, service }: AnyEvent, reason: string, action: PolicyAction | undefined): void {
    if (!this.#book.refused(name, reason, this.#deps.clock.wallTime())) return
    const what = action?.action ?? ''
    this.#deps.events.emit('policy.refused', {
      message: `the policy ${name} did not ${what}: ${reason}`,
      level: 'warning',
      service,
      cause: id,
      data: { policy: name, action: what, reason },
    })
  }

  /** The first that fails or is refused ends it. */
  async #act(policy: PolicyConfig, event: AnyEvent): Promise<void> {
    let isFirst = true
    for (const action of policy.do) {
      const planned = this.#plan(policy, action, event)
      if (planned === undefined) break
      if (isFirst) this.#book.ran(policy.name, this.#deps.clock.wallTime())
      isFirst = false
      if (!(await this.#carryOut(policy, action, planned, event))) break
    }
    if (!isFirst) await this.#book.write(policy.name, undefined)
  }

  /** undefined: it was refused, and that is told. */
  #plan(policy: PolicyConfig, action: PolicyAction, event: AnyEvent): Planned | undefined {
    try {
      return planAction(policy, action, event, {
        operations: this.#deps.operations(),
        eject: (endpoint, forMs, actor) => this.#eject(endpoint, forMs, actor),
        stopped: this.#stopped.signal,
      })
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#refuse(policy, event, error.message, action)
      return undefined
    }
  }

  /** Whether it went well. */
  async #carryOut({ name, dryRun }: PolicyConfig, action: PolicyAction, { target, run }: Planned, event: AnyEvent): Promise<boolean> {
    const { events, clock } = this.#deps
    const acting: Acting = { action: action.action, target, since: clock.wallTime(), cause: event.id }
    const told = { service: serviceOf(action, event), cause: event.id }
    const data = { policy: name, action: action.action, target }
    try {
      await this.#book.write(name, dryRun ? undefined : acting)
      if (!dryRun)
        await run((pid) => {
          const startTicks = startTicksOf(pid)
          if (startTicks !== undefined) void this.#book.write(name, { ...acting, process: { pid, startTicks } })
        })
    } catch (error) {
      const reason = messageOf(error)
      this.#book.of(name).failed = { at: clock.wallTime(), reason }
      events.emit('policy.failed', {
        ...told,
        message: `the policy ${name} tried to ${wordsOf(action, target)}: ${reason}`,
        level: 'error',
        data: { ...data, reason },
      })
      return false
    }
    events.emit('policy.ran', {
      ...told,
      message: `the policy ${name} ${dryRun ? 'would have done' : 'did'}: ${action.action} ${target}, because ${event.message}`,
      level: 'warning',
      data: { ...data, dryRun },
    })
    return true
  }

  /** A command of before that still runs has lost whoever watches its time: it is killed. */
  #tellInterrupted(name: string, { action, target, cause, process: started }: Acting): void {
    const isThere = started !== undefined && stateOf(started.pid, started.startTicks) === 'runs'
    if (isThere) killGroup(started.pid)
    const reason = `holdfast ended in the midst of it${isThere ? ', and the command was killed now' : ''}`
    this.#book.of(name).failed = { at: this.#deps.clock.wallTime(), reason }
    this.#deps.events.emit('policy.failed', {
      message: `the policy ${name} tried to ${action} ${target}: ${reason}`,
      level: 'error',
      cause,
      data: { policy: name, action, target, reason },
    })
  }

  async #eject(id: string, forMs: number, actor: Actor): Promise<void> {
    const until = this.#deps.clock.wallTime() + forMs
    // Written first: whoever dies between the two gives back what was never taken, which does no harm.
    await this.#deps.store.commit({ writes: [{ put: ejectedPrefix + id, value: { until } }] })
    await this.#deps.operations().setMaintenance({ endpoint: id }, true, { actor })
    this.#giveBackLater(id, until)
  }

  #giveBackLater(id: string, until: number): void {
    const { clock } = this.#deps
    this.#timers.get(id)?.[Symbol.dispose]()
    const wait = Math.max(0, until - clock.wallTime())
    const timer = clock.schedule(
      after(clock.now(), ms(wait)),
      () =>
        void this.#giveBack(id).catch((error: unknown) => {
          this.#deps.onProblem(error)
        }),
    )
    this.#timers.set(id, timer)
  }

  async #giveBack(id: string): Promise<void> {
    this.#timers.delete(id)
    const { operations, store } = this.#deps
    const isThere = operations()
      .endpoints()
      .some((endpoint) => endpoint.id === id && endpoint.state === 'maintenance')
    if (isThere) await operations().setMaintenance({ endpoint: id }, false, { actor: { name: 'policy', address: 'local' } })
    await store.commit({ writes: [{ delete: ejectedPrefix + id }] })
  }
}

const wordsOf = ({ action }: PolicyAction, target: string): string => (action === 'command' ? `run the command ${target}` : `${action} ${target}`)

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

/** What a policy has done must not set it off again, or it would never end. */
const isOwnDoing = ({ name }: PolicyConfig, { data }: AnyEvent): boolean => (data as { readonly actor?: unknown }).actor === actorOf(name)

function isMeant({ on, match }: PolicyConfig, event: AnyEvent): boolean {
  return isTrigger(on, event) && Object.entries(match).every(([field, wanted]) => fieldOf(event, field) === wanted)
}

function isTrigger(on: PolicyConfig['on'], event: AnyEvent): boolean {
  switch (on.kind) {
    case 'event':
      return event.type === on.type
    case 'alert':
      return event.type === 'alert.fired' && event.data.alertname === on.name
    case 'check':
      if (on.to === 'down' || on.to === 'up') return event.type === 'check.changed' && event.data.check === on.name && event.data.to === on.to
      return event.type === 'check.levelChanged' && event.data.check === on.name && event.data.to === on.to
  }
}

function fieldOf(event: AnyEvent, field: string): string | undefined {
  const data = event.data as Readonly<Record<string, unknown>>
  const own = { service: event.service, instance: event.instance, level: event.level }[field]
  const value = own ?? labelsOf(event)?.[field] ?? data[field]
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}
