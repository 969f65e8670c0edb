/**
 * What is done by itself when something happens. Every run and every refusal is an event with its reason.
 *
 *   event ─▶ a policy that names it and matches ─▶ cooldown, limit ─▶ guards ─▶ actions, one after the other ─▶ policy.ran | policy.refused | policy.failed
 *
 * It acts through the operations that people have, so that whatever guards them guards this: a restart is rolling, and nothing is taken out that is the last that works.
 */
import type { Config, PolicyAction, PolicyConfig } from '../config/types.ts'
import { HoldfastError, messageOf, unreachable } from '../kernel/errors.ts'
import type { AnyEvent, EventSink } from '../kernel/events.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { commandProbe } from '../health/index.ts'
import { mayRun, remembered } from '../health/core/policy.ts'
import type { EndpointStatus, ServiceStatus } from '../registry/types.ts'
import { staticEndpointId } from '../registry/index.ts'
import type { StateStore } from '../store/index.ts'
import type { Actor, Operations, PolicyStatus } from './operations.ts'

export interface PoliciesDeps {
  readonly clock: Clock
  readonly events: EventSink
  readonly store: StateStore
  readonly config: () => Config
  readonly operations: () => Pick<Operations, 'restart' | 'scale' | 'setMaintenance' | 'service' | 'endpoints' | 'events'>
  readonly onProblem: (error: unknown) => void
}

interface Standing {
  /** Wall time: it is kept by the event log. */
  runs: readonly number[]
  total: number
  busy: boolean
  /** Told already. */
  refusal: string | undefined
}

/** A guard said no. */
class Refused extends Error {}

const prefix = 'policies/ejected/'

export class Policies {
  readonly #deps: PoliciesDeps
  readonly #standings = new Map<string, Standing>()
  readonly #timers = new Map<string, Disposable>()
  #running = false

  constructor(deps: PoliciesDeps) {
    this.#deps = deps
  }

  /** Runs of before count, and what was taken out by a policy gets back in its time. */
  async start(): Promise<void> {
    const { clock, operations, store } = this.#deps
    const now = clock.wallTime()
    const reach = Math.max(0, ...this.#policies.map(({ cooldown, limit }) => Math.max(cooldown, limit.per)))
    if (reach > 0) {
      for (const event of operations().events({ type: 'policy.ran', since: now - reach, order: 'ascending', limit: 1_000 })) {
        if (event.type === 'policy.ran' && !event.data.dryRun) this.#noteRun(this.#standing(event.data.policy), event.time)
      }
    }
    for (const { key, value } of await store.list<{ readonly until: number }>(prefix)) this.#giveBackLater(key.slice(prefix.length), value.until)
    this.#running = true
  }

  stop(): void {
    this.#running = false
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#timers.clear()
  }

  list(): readonly PolicyStatus[] {
    return this.#policies.map(({ name }) => {
      const { total, runs, refusal } = this.#standing(name)
      return { name, runs: total, lastRun: runs.at(-1), lastRefusal: refusal }
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

  #standing(name: string): Standing {
    const standing = this.#standings.get(name) ?? { runs: [], total: 0, busy: false, refusal: undefined }
    this.#standings.set(name, standing)
    return standing
  }

  #noteRun(standing: Standing, at: number): void {
    standing.runs = [...standing.runs, at]
    standing.total++
    standing.refusal = undefined
  }

  async #consider(policy: PolicyConfig, event: AnyEvent): Promise<void> {
    const standing = this.#standing(policy.name)
    const now = this.#deps.clock.wallTime()
    const rules = { cooldownMs: policy.cooldown, limit: { count: policy.limit.count, per: policy.limit.per } }
    standing.runs = remembered(standing.runs, now, rules)
    const verdict = mayRun(standing.runs, now, rules)
    if (standing.busy || !verdict.go) {
      this.#refuse(policy, standing, event, verdict.go ? 'its last run is not over' : verdict.reason)
      return
    }
    standing.busy = true
    try {
      await this.#act(policy, standing, event, now)
    } finally {
      standing.busy = false
    }
  }

  /** Once for each kind of reason, until it runs again: a storm of events is no storm of refusals. */
  #refuse({ name, do: [first] }: PolicyConfig, standing: Standing, { id, service }: AnyEvent, reason: string, action = first?.action ?? ''): void {
    const kind = reason.replace(/\d+/g, '#')
    if (standing.refusal?.replace(/\d+/g, '#') === kind) return
    standing.refusal = reason
    this.#deps.events.emit('policy.refused', {
      message: `the policy ${name} did not ${action}: ${reason}`,
      level: 'warning',
      service,
      cause: id,
      data: { policy: name, action, reason },
    })
  }

  async #act(policy: PolicyConfig, standing: Standing, event: AnyEvent, now: number): Promise<void> {
    const { events } = this.#deps
    const { name, dryRun } = policy
    let hasRun = false
    for (const action of policy.do) {
      let target = ''
      try {
        const [what, run] = this.#plan(policy, action, event)
        target = what
        if (!hasRun) this.#noteRun(standing, now)
        hasRun = true
        if (!dryRun) await run()
        events.emit('policy.ran', {
          message: `the policy ${name} ${dryRun ? 'would have done' : 'did'}: ${action.action} ${target}, because ${event.message}`,
          level: 'warning',
          service: serviceOf(action, event),
          cause: event.id,
          data: { policy: name, action: action.action, target, dryRun },
        })
      } catch (error) {
        if (error instanceof Refused) {
          this.#refuse(policy, standing, event, error.message, action.action)
          return
        }
        const reason = messageOf(error)
        events.emit('policy.failed', {
          message: `the policy ${name} tried to ${action.action} ${target}: ${reason}`,
          level: 'error',
          service: serviceOf(action, event),
          cause: event.id,
          data: { policy: name, action: action.action, target, reason },
        })
        return
      }
    }
  }

  /** What it is about, and how it is done. Throws `Refused`. */
  #plan(policy: PolicyConfig, action: PolicyAction, event: AnyEvent): readonly [target: string, run: () => Promise<unknown>] {
    const operations = this.#deps.operations()
    const actor: Actor = { name: `policy ${policy.name}`, address: 'local', cause: event.id }
    switch (action.action) {
      case 'restart': {
        const service = this.#service(action, event)
        if (service.maintenance) throw new Refused(`${service.name} is in maintenance`)
        return [service.name, () => operations.restart(service.name, { actor })]
      }
      case 'scale': {
        const service = this.#service(action, event)
        const wanted = Math.min(service.desired + action.by, action.max ?? service.desired)
        if (wanted <= service.desired)
          throw new Refused(`${service.name} has ${service.desired} instances already, and may have ${action.max ?? service.desired}`)
        return [
          `${service.name} from ${service.desired} to ${wanted}`,
          () => operations.scale(service.name, wanted, { actor, reason: `policy ${policy.name}: ${event.message}` }),
        ]
      }
      case 'eject': {
        const endpoint = this.#endpoint(event)
        return [endpoint.id, () => this.#eject(endpoint, action.for, actor)]
      }
      case 'command':
        return [action.command ?? '', () => this.#command(policy, action, event)]
      case 'failover':
        throw new Refused('failover comes with a later release')
      default:
        return unreachable(action.action)
    }
  }

  #service(action: PolicyAction, event: AnyEvent): ServiceStatus {
    const name = serviceOf(action, event)
    if (name === undefined) throw new Refused(`${event.type} is of no service, and the policy names none`)
    try {
      return this.#deps.operations().service(name)
    } catch (error) {
      throw new Refused(messageOf(error))
    }
  }

  /** The one that the event is of, unless it is the last that works. */
  #endpoint(event: AnyEvent): EndpointStatus {
    const { address } = event.data as { readonly address?: unknown }
    const all = this.#deps.operations().endpoints()
    const found = all.find(
      ({ id, instance, host, port }) =>
        (event.instance !== undefined && instance === event.instance) || id === address || staticEndpointId(host, port) === address,
    )
    if (!found) throw new Refused(`${event.type} is of no endpoint that is there`)
    if (found.state === 'maintenance') throw new Refused(`${found.id} is in maintenance already`)
    const others = all.filter(
      ({ service, id, state, health, ejected }) =>
        service === found.service && id !== found.id && state === 'active' && health === 'healthy' && ejected === undefined,
    )
    if (others.length === 0) throw new Refused(`${found.id} is the last endpoint of ${found.service} that could serve`)
    return found
  }

  async #eject({ id }: EndpointStatus, forMs: number, actor: Actor): Promise<void> {
    const until = this.#deps.clock.wallTime() + forMs
    // Written first: whoever dies between the two gives back what was never taken, which does no harm.
    await this.#deps.store.commit({ writes: [{ put: prefix + id, value: { until } }] })
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
    await store.commit({ writes: [{ delete: prefix + id }] })
  }

  async #command({ name }: PolicyConfig, { command = '', cwd, timeout }: PolicyAction, event: AnyEvent): Promise<void> {
    const env = { ...process.env, HOLDFAST_POLICY: name, HOLDFAST_SERVICE: event.service ?? '', HOLDFAST_EVENT: JSON.stringify(event) }
    const signal = AbortSignal.timeout(timeout)
    const late = new Promise<never>((_resolve, reject) => {
      signal.addEventListener(
        'abort',
        () => {
          reject(new HoldfastError('timeout', `it took longer than ${timeout / 1_000} s and was killed`))
        },
        { once: true },
      )
    })
    const { outcome, message } = await Promise.race([commandProbe({ kind: 'command', command, cwd, exitCode: 0 }, env).run(signal), late])
    if (outcome !== 'pass') throw new HoldfastError('command_failed', message)
  }
}

const serviceOf = ({ service }: PolicyAction, event: AnyEvent): string | undefined => service ?? event.service ?? labelsOf(event)?.service

const labelsOf = (event: AnyEvent): Readonly<Record<string, string>> | undefined => (event.type === 'alert.fired' ? event.data.labels : undefined)

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
