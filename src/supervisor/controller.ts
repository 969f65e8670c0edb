/**
 * Keeps instances running: feeds what happens in the world to the fleet, which decides, and carries out what it says.
 *
 *   apply, scale, restart ──▶ ┌───────┐ ──▶ runtime   spawn, probe, signal, kill
 *   exit, ready, drained  ──▶ │ fleet │ ──▶ router    admit, drain, gone
 *   time                  ──▶ └───────┘ ──▶ store, events
 *
 * Decided: core/ (when something is restarted: core/ending.ts). Carried out: executor.ts, admission.ts. Announced and
 * written down: chronicle.ts. Here is what can be asked and ordered, and the wiring.
 *
 * Nothing here waits for the store: an instance that dies is out of the routing and started again in the tick of its
 * exit, and the store learns of it a moment later. Should we die in that moment, the mark in the environment of every
 * process we spawn tells the next control process what is ours.
 */
import type { ServiceConfig } from '../config/types.ts'
import { assert, HoldfastError, unreachable } from '../kernel/errors.ts'
import { aborted, type Component } from '../kernel/lifecycle.ts'
import { drive, type Drive } from '../kernel/machine.ts'
import { after, seconds, type Clock, type Duration } from '../kernel/time.ts'
import type { InstanceStatus, Revision } from '../registry/types.ts'
import { unknownRevision } from './adoption.ts'
import { isStarting, isStopFirst, type RestartOrder, type Service } from './core/fleet-state.ts'
import type { DesiredService, FleetCommand, FleetInput } from './core/fleet-types.ts'
import type { Fleet } from './core/fleet.ts'
import type { InstanceInput } from './core/instance-machine.ts'
import type { InstanceLogs } from './output/instance-logs.ts'
import { assemble, type Parts, type SupervisorDeps } from './parts.ts'
import type { ProcessService } from './service-book.ts'
import { isReady, isSettled, settlementOf, type Settlement } from './settlement.ts'
import { statusesOf } from './status.ts'

export type { SupervisorDeps } from './parts.ts'
export type { Settlement } from './settlement.ts'

export interface ApplyOptions {
  /** How long requests in flight may take when an instance is stopped. @default 30 s */
  readonly drainTimeout?: Duration
}

/** What an apply set in motion. */
export interface ApplyReport {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Services that get a new revision. */
  readonly changed: readonly { readonly service: string; readonly revision: number }[]
  /** Instances that were running and were taken over; more than 0 only at the first call. */
  readonly adopted: number
}

/** Instances that a service can be scaled to by hand. */
const instancesMax = 1_000
const drainTimeoutDefault: Duration = seconds(30)
/** What serves answers its first probe in far less. */
const recognitionTime: Duration = seconds(1)
/** How long after the deadline of a stop the killed processes may take to vanish. */
const killGrace: Duration = seconds(5)

export class Supervisor implements Component {
  readonly name = 'supervisor'
  /** What the instances write. */
  readonly logs: InstanceLogs
  readonly #clock: Clock
  readonly #parts: Parts
  readonly #fleet: Fleet
  #drive: Drive<Fleet, FleetInput> | undefined
  #drainTimeout = drainTimeoutDefault
  #stoppingAll = false
  /** Taken over without a record of them. */
  #unrecorded: readonly string[] = []

  constructor(deps: SupervisorDeps) {
    this.#clock = deps.clock
    this.#parts = assemble(deps, {
      drainTimeout: () => this.#drainTimeout,
      tell: (id, input) => this.#tell(id, input),
      onMemory: (readings) => this.#drive?.send({ type: 'memory', readings }),
      onBootTime: (service, bootTime) => this.#send({ type: 'bootTime', service, bootTime }),
      onForgotten: (service, slots) => this.#onForgotten(service, slots),
    })
    this.#fleet = this.#parts.fleet
    this.logs = this.#parts.logs
  }

  // --- life

  /** Looks up what runs already. It is taken over, and everything else started, at the first `apply`. */
  async start(): Promise<void> {
    this.#parts.runtime.onEvent = (event) => this.#parts.executor.onRuntimeEvent(event)
    await this.#parts.takeover.look()
    this.#parts.runtime.start()
    this.logs.start()
    this.#drive = drive(this.#fleet, {
      clock: this.#clock,
      execute: (command) => this.#execute(command),
      onState: () => this.#afterStep(),
    })
  }

  /** Lets go: instances go on running for the next control process. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (!this.#drive) return
    this.#drive[Symbol.dispose]()
    this.#drive = undefined
    this.#parts.runtime.stop()
    this.logs.stop()
    this.#parts.restarts.abandon()
    await Promise.race([this.#parts.journal.close(), aborted(deadline)])
  }

  /**
   * Sets what shall run and begins to bring it about: new services start, removed ones stop, a changed spec is rolled
   * out with each new instance ready before an old one goes, a changed count adds or removes instances, and what has
   * not changed is not touched. Also means "try again" to whatever has come to rest. Services that are not made of
   * processes are left out.
   */
  apply(services: readonly ServiceConfig[], options: ApplyOptions = {}): ApplyReport {
    const wanted = services.filter(isProcessService)
    this.#drainTimeout = options.drainTimeout ?? drainTimeoutDefault
    this.#stoppingAll = false
    const before = new Map([...this.#fleet.services.values()].map(({ name, revision }) => [name, revision]))
    const desired = wanted.map((service) => this.#desire(service))
    const found = this.#parts.takeover.take(new Set(wanted.map(({ name }) => name)))
    this.#send({ type: 'apply', services: desired, ...found })
    for (const { id } of found?.found ?? []) this.#announceAdopted(id)
    this.#unrecorded = (found?.found ?? []).filter(({ revision }) => revision === unknownRevision).map(({ id }) => id)
    const wantedNames = new Set(wanted.map(({ name }) => name))
    return {
      added: [...wantedNames].filter((name) => !before.has(name)),
      removed: [...before.keys()].filter((name) => !wantedNames.has(name)),
      changed: desired
        .filter(({ config, revision }) => before.has(config.name) && before.get(config.name) !== revision)
        .map(({ config, revision }) => ({ service: config.name, revision })),
      adopted: found?.found.length ?? 0,
    }
  }

  #desire(config: ProcessService): DesiredService {
    const record = this.#parts.services.want(config)
    const { name } = config
    return {
      config,
      revision: record.revision.number,
      stable: record.stable?.number,
      desired: this.#parts.services.desired(config),
      bootTime: this.#parts.services.bootTime(name),
    }
  }

  /**
   * Resolves when those that were taken over without a record of them have shown whether they are ready, or have had the time for it. A balancer
   * that was running may route to them: told what we know before that, it would take them out for the moment.
   */
  async whenRecognised(): Promise<void> {
    const isUnknown = (id: string): boolean => {
      const instance = this.#fleet.instance(id)
      return instance !== undefined && isStarting(instance)
    }
    if (!this.#unrecorded.some(isUnknown)) return
    await Promise.race([this.#parts.changes.until(() => !this.#unrecorded.some(isUnknown)), this.#wait(recognitionTime)])
  }

  /**
   * Runs `instances` of the service from now on, whatever the configuration says, until the configuration itself says
   * another number. Rejects with `unknown_service` or `invalid_input`.
   */
  async scale(name: string, instances: number): Promise<void> {
    const service = this.#known(name)
    if (!Number.isInteger(instances) || instances < 0 || instances > instancesMax) {
      throw new HoldfastError('invalid_input', `tried to scale ${name} to ${instances}: it must be a whole number from 0 to ${instancesMax}`)
    }
    if (instances > 1 && isStopFirst(service)) {
      throw new HoldfastError(
        'invalid_input',
        `tried to scale ${name} to ${instances}: it has a port of its own, so there can be only one instance`,
        {
          hint: 'set port: auto, and let the command listen on $PORT',
        },
      )
    }
    this.#parts.services.scale(service.config, instances)
    this.#send({ type: 'scale', service: name, desired: instances })
    await this.#parts.journal.flush()
  }

  /**
   * Replaces every instance, the new one taking traffic before the old one goes. Resolves when the last old one has
   * ended. Rejects with `unknown_service`, with `conflict` while another restart runs, and with `restart_failed` when a new
   * instance does not get ready: the old ones that are left stay.
   */
  async restart(name: string): Promise<RestartOrder['replaced']> {
    const service = this.#known(name)
    if (service.restart) throw new HoldfastError('conflict', `tried to restart ${name}: it is being restarted already`)
    return this.#parts.restarts.wait(name, () => this.#send({ type: 'restart', service: name }))
  }

  /**
   * Drains and stops every instance, dependants first; what is left at the deadline is killed. Resolves when nothing of
   * ours runs any more. Rejects with `stop_failed` when something survives even that.
   */
  async stopAll(deadline: AbortSignal): Promise<void> {
    if (this.#parts.takeover.pending) this.apply([])
    this.#stoppingAll = true
    const kill = (): void => this.#send({ type: 'killAll' })
    this.#send({ type: 'stopAll' })
    if (deadline.aborted) kill()
    else deadline.addEventListener('abort', kill, { once: true })
    const empty = this.#parts.changes.until(() => this.#fleet.services.size === 0)
    await Promise.race([empty, aborted(deadline).then(() => (this.#fleet.services.size === 0 ? undefined : this.#wait(killGrace)))])
    deadline.removeEventListener('abort', kill)
    await this.#parts.runtime.reaped()
    await this.#parts.journal.flush()
    const left = this.instances()
    if (left.length > 0) {
      throw new HoldfastError('stop_failed', `killed ${left.map(({ id, pid }) => `${id} (pid ${pid ?? '?'})`).join(', ')}, but they do not end`, {
        hint: 'a process in an uninterruptible call ends when the call does; look at the disk or network file system it waits for',
      })
    }
  }

  // --- questions

  instances(service?: string): readonly InstanceStatus[] {
    const sources = {
      clock: this.#clock,
      instances: this.#parts.instances,
      services: this.#parts.services,
      reading: (id: string) => this.#parts.runtime.reading(id),
    }
    const services =
      service === undefined ? [...this.#fleet.services.values()] : [this.#fleet.services.get(service)].filter((one) => one !== undefined)
    return services.flatMap((one) => statusesOf(one, sources))
  }

  /** The revision that is wanted of a service; undefined: it is not one of ours. */
  revision(service: string): Revision | undefined {
    if (!this.#parts.services.has(service)) return undefined
    const { number, specHash, version, createdAt } = this.#parts.services.get(service).revision
    return { service, number, specHash, version, createdAt }
  }

  /** How many instances there shall be; 0 for a service that is not one of ours. */
  desired(service: string): number {
    return this.#fleet.services.get(service)?.desired ?? 0
  }

  /** Calls back after every change, at most once a tick. */
  onChange(listener: () => void): Disposable {
    return this.#parts.changes.on(listener)
  }

  /** Resolves when as many instances take traffic as wanted. Rejects with `start_failed` when it comes to rest before. */
  async whenReady(name: string): Promise<void> {
    this.#known(name)
    await this.#parts.changes.until(() => {
      const service = this.#fleet.services.get(name)
      return service === undefined || isReady(service) || isSettled(service)
    })
    const service = this.#fleet.services.get(name)
    if (service && isReady(service)) return
    const problems = service ? this.#settlement(service).problems : ['it was removed']
    throw new HoldfastError('start_failed', `started ${name}: ${problems.join('; ')}`, { hint: `holdfast logs ${name} shows what it wrote` })
  }

  /** Resolves when nothing is on its way any more: all is ready, or has come to rest (crash looping, done, deploy failed). */
  async whenSettled(): Promise<readonly Settlement[]> {
    await this.#parts.changes.until(() => [...this.#fleet.services.values()].every((service) => isSettled(service)))
    return [...this.#fleet.services.values()].map((service) => this.#settlement(service))
  }

  // --- what others see of instances

  /** A connection to it broke: looks at once whether it lives. */
  check(id: string): void {
    this.#parts.runtime.check(id)
  }

  /** They crashed by something that will not happen again: it is not held against their places, which are filled at once. */
  pardon(instances: readonly string[]): void {
    this.#send({ type: 'pardon', instances })
  }

  /** The data plane's verdict from probing it. Unhealthy for 30 s: it is replaced. */
  reportHealth(id: string, health: 'healthy' | 'unhealthy', reason = 'its probe fails'): void {
    this.#tell(id, health === 'healthy' ? { type: 'healthy' } : { type: 'unhealthy', reason })
  }

  // --- what the fleet says

  #execute(command: FleetCommand): void {
    switch (command.type) {
      case 'spawn':
        this.#parts.executor.spawn(command.instance)
        return
      case 'instance':
        this.#parts.executor.carryOut(command.instance, command.command)
        return
      case 'fact':
        this.#parts.chronicle.note(command.fact)
        return
      default:
        unreachable(command)
    }
  }

  /** Removed for good; when everything stops, what is known of it is kept for the next time. */
  #onForgotten(service: string, slots: readonly number[]): void {
    this.#parts.admission.forget(service)
    if (this.#stoppingAll) return
    this.#parts.services.forget(service)
    for (const slot of slots) this.#parts.instances.forgetSlot(service, slot)
  }

  #announceAdopted(id: string): void {
    const instance = this.#fleet.instance(id)
    const running = this.#parts.instances.get(id)?.running
    if (instance && running) this.#parts.announcer.adopted(instance, running.process.pid, running.port)
  }

  // --- the rest

  #known(name: string): Service {
    const service = this.#fleet.services.get(name)
    if (service && !service.leaving) return service
    throw new HoldfastError('unknown_service', `there is no service ${JSON.stringify(name)} made of processes`, {
      details: { services: [...this.#fleet.services.keys()] },
    })
  }

  #tell(id: string, input: InstanceInput): void {
    this.#drive?.send({ type: 'instance', id, input })
  }

  #send(input: FleetInput): void {
    assert(this.#drive, 'the supervisor has not been started')
    this.#drive.send(input)
  }

  #afterStep(): void {
    for (const service of this.#fleet.services.values()) this.#parts.admission.expect(service)
    this.#parts.changes.tell()
  }

  #settlement(service: Service): Settlement {
    return settlementOf(service, this.instances(service.name))
  }

  #wait(wait: Duration): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(after(this.#clock.now(), wait), resolve)
    })
  }
}

const isProcessService = (service: ServiceConfig): service is ProcessService => service.source.kind === 'process'
