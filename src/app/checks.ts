/** `HealthOperations`: the engine of checks, joined to the parts that it asks and tells. */
import type { AlertSink } from '../alerting/types.ts'
import type { Config } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Random } from '../kernel/random.ts'
import type { Clock } from '../kernel/time.ts'
import {
  Checks,
  definitionOf,
  MachineView,
  ServiceChecks,
  tcpProbe,
  type CheckDefinition,
  type CheckMemory,
  type Related,
  type RememberedCheck,
  type TrafficReader,
} from '../health/index.ts'
import type { Sample, SampleSource } from '../metrics/types.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type { StateStore } from '../store/index.ts'
import type { CheckDetail, CheckStatus, HealthOperations, HeartbeatReport, NetworkView } from './health-operations.ts'
import type { Actor } from './operations.ts'

export interface HealthChecksDeps {
  readonly clock: Clock
  readonly random: Random
  readonly events: EventSink
  readonly store: StateStore
  readonly config: () => Config
  readonly services: () => readonly ServiceStatus[]
  readonly traffic: TrafficReader
  /** What hangs together, as declared and as learned. */
  readonly related?: Related
  /** Where the alert goes that this node does not see the network; undefined: nowhere. */
  readonly alerts?: () => AlertSink | undefined
  readonly onProblem: (error: unknown) => void
}

const prefix = 'health/checks/'
/** The alert about ourselves is put again this often, so that nobody takes it for resolved. */
const resendMs = 60_000
const dayMs = 86_400_000

export class HealthChecks implements HealthOperations, SampleSource {
  readonly #deps: HealthChecksDeps
  readonly #engine: Checks
  readonly #machine: MachineView
  readonly #services = new ServiceChecks()
  #blindPutAt = 0

  constructor(deps: HealthChecksDeps) {
    const { clock, random, events, store, traffic, related, onProblem } = deps
    this.#deps = deps
    this.#machine = new MachineView(clock)
    this.#engine = new Checks({
      clock,
      random,
      events,
      traffic,
      onProblem,
      ...(related && { related }),
      memory: new StoredChecks(store),
      canaries: () => (deps.config().health?.canaries ?? []).map(tcpProbe),
    })
  }

  async start(): Promise<void> {
    // What is remembered has to be there before the checks that it is of.
    await this.#engine.start()
    this.apply()
    await this.#engine.forgetOthers()
  }

  stop(): void {
    this.#engine.stop()
  }

  /** The configuration is another one. Checks that are in it as before go on as before. */
  apply(): void {
    const { clock, config } = this.#deps
    const deps = { clock, machine: this.#machine, heartbeats: this.#engine.heartbeats }
    this.#engine.apply((config().health?.checks ?? []).map((one) => definitionOf(one, deps)))
  }

  /** One that a program brings along. Throws `conflict`. */
  register(definition: CheckDefinition): Disposable {
    if (this.#isService(definition.name))
      throw new HoldfastError('conflict', `tried to register the check ${definition.name}: it is the name of a service`)
    return this.#engine.register(definition)
  }

  checks(): readonly CheckStatus[] {
    return [...this.#engine.list(), ...this.#ofServices().map(({ outcomes: _, ...status }) => status)]
  }

  check(name: string): CheckDetail {
    return (this.#engine.has(name) ? undefined : this.#ofServices().find((one) => one.name === name)) ?? this.#engine.get(name)
  }

  async run(name: string): Promise<CheckDetail> {
    this.#refuseService(name, 'run')
    return this.#engine.run(name)
  }

  async pause(name: string, { actor }: { actor: Actor }): Promise<CheckDetail> {
    this.#refuseService(name, 'pause', `holdfast maintenance ${name} on`)
    const check = this.#engine.pause(name)
    this.#deps.events.emit('check.paused', {
      message: `${actor.name} paused the check ${name}`,
      cause: actor.cause,
      data: { check: name, actor: actor.name },
    })
    return Promise.resolve(check)
  }

  async resume(name: string, { actor }: { actor: Actor }): Promise<CheckDetail> {
    this.#refuseService(name, 'resume', `holdfast maintenance ${name} off`)
    const check = this.#engine.resume(name)
    this.#deps.events.emit('check.resumed', {
      message: `${actor.name} resumed the check ${name}`,
      cause: actor.cause,
      data: { check: name, actor: actor.name },
    })
    return Promise.resolve(check)
  }

  async heartbeat(name: string, report: HeartbeatReport): Promise<CheckDetail> {
    this.#refuseService(name, 'beat for')
    this.#engine.beat(name, report)
    // What it means is known once it has been looked at.
    const now = this.#engine.get(name)
    return now.state === 'paused' ? now : this.#engine.run(name)
  }

  network(): NetworkView {
    return this.#engine.network
  }

  samples(): readonly Sample[] {
    this.#tellOfBlindness()
    this.#ofServices()
    const samples: Sample[] = []
    for (const { name, state, last, level, service } of this.#engine.list()) {
      const labels = { check: name, ...(service !== undefined && { service }) }
      const isUp = state === 'up' || state === 'suspect' ? 1 : state === 'down' || state === 'recovering' ? 0 : undefined
      if (isUp !== undefined) samples.push({ metric: 'check_up', labels, value: isUp })
      if (isUp === undefined || last === undefined) continue
      samples.push({ metric: 'check_latency', labels, value: last.latencyMs })
      if (last.value !== undefined) samples.push({ metric: 'check_value', labels, value: last.value })
      if (last.certificateMs !== undefined) samples.push({ metric: 'check_certificate_days', labels, value: last.certificateMs / dayMs })
      samples.push({ metric: 'check_level', labels, value: level === 'ok' ? 0 : level === 'warning' ? 1 : 2 })
    }
    return samples
  }

  #ofServices(): readonly CheckDetail[] {
    const { services, config, clock } = this.#deps
    return this.#services.look(services(), config().services, clock.wallTime())
  }

  #isService(name: string): boolean {
    return Object.hasOwn(this.#deps.config().services, name)
  }

  #refuseService(name: string, what: string, instead?: string): void {
    if (this.#engine.has(name) || !this.#isService(name)) return
    throw new HoldfastError(
      'invalid_input',
      `tried to ${what} the check ${name}: it is a service, which the balancer probes by itself`,
      instead === undefined ? {} : { hint: instead },
    )
  }

  #tellOfBlindness(): void {
    const { blind, since, reason = '' } = this.#engine.network
    const now = this.#deps.clock.wallTime()
    const put = (endsAt?: number): void => {
      this.#deps.alerts?.()?.put([
        {
          labels: { alertname: 'NetworkLost', severity: 'critical' },
          annotations: { summary: 'this node cannot see the network', description: `${reason}. No check is taken for down because of that.` },
          ...(since !== undefined && { startsAt: since }),
          ...(endsAt !== undefined && { endsAt }),
        },
      ])
    }
    if (blind && now - this.#blindPutAt >= resendMs) {
      this.#blindPutAt = now
      put()
    } else if (!blind && this.#blindPutAt > 0) {
      this.#blindPutAt = 0
      put(now)
    }
  }
}

/** Each under a key of its own: what is down, paused, or was heard of. */
class StoredChecks implements CheckMemory {
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  async load(): Promise<Readonly<Record<string, RememberedCheck>>> {
    const entries = await this.#store.list<RememberedCheck>(prefix)
    return Object.fromEntries(entries.map(({ key, value }) => [key.slice(prefix.length), value]))
  }

  async save(check: string, remembered: RememberedCheck | undefined): Promise<void> {
    const key = prefix + check
    await this.#store.commit({ writes: [remembered === undefined ? { delete: key } : { put: key, value: remembered }] })
  }
}
