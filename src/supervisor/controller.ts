/**
 * Keeps instances running: feeds what happens in the world to the fleet, which decides, and carries out what it says.
 *
 *   apply, scale, restart ──▶ ┌───────┐ ──▶ runtime   spawn, probe, signal, kill
 *   exit, ready, drained  ──▶ │ fleet │ ──▶ router    admit, drain, gone
 *   time                  ──▶ └───────┘ ──▶ store, events
 *
 * Nothing here waits for the store: an instance that dies is out of the routing and started again in the tick of its
 * exit, and the store learns of it a moment later. Should we die in that moment, the mark in the environment of every
 * process we spawn tells the next control process what is ours.
 */
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { ServiceConfig } from '../config/types.ts'
import { assert, HoldfastError, unreachable } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import { aborted, type Component } from '../kernel/lifecycle.ts'
import { drive, type Drive } from '../kernel/machine.ts'
import type { Random } from '../kernel/random.ts'
import { after, elapsed, ms, seconds, type Clock, type Duration, type Instant, type WallTime } from '../kernel/time.ts'
import type { InstanceStatus, Revision } from '../registry/types.ts'
import type { StateStore } from '../store/port.ts'
import { Announcer } from './announcer.ts'
import { signalOf } from './core/exit.ts'
import { Fleet } from './core/fleet.ts'
import type { DesiredService, Fact, FleetCommand, FleetInput, FoundInstance, KnownSlot } from './core/fleet-types.ts'
import type { Ended } from './core/judge.ts'
import { defaultFleetLimits, isStopFirst, type FleetLimits, type Instance, type RestartOrder, type Service } from './core/fleet-state.ts'
import type { InstanceCommand, InstanceInput } from './core/instance-machine.ts'
import { restartLimits, type RestartLimits } from './core/restart-policy.ts'
import { withMarked } from './adoption.ts'
import { InstanceBook } from './instance-book.ts'
import { Journal } from './journal.ts'
import { InstanceLogs } from './output/instance-logs.ts'
import { LogFiles, logLimits, type LogLimits } from './output/log-files.ts'
import type { Router } from './ports.ts'
import { loadRecords, recallSlot, type InstanceRecord, type Records } from './records.ts'
import { ProcessRuntime } from './runtimes/process/process-runtime.ts'
import { systemProcessTable } from './runtimes/process/process-table.ts'
import type { MarkedProcess, Runtime, RuntimeEvent } from './runtimes/runtime.ts'
import { ServiceBook, type ProcessService } from './service-book.ts'
import { isComing, isReady, isSettled, settlementOf, type Settlement } from './settlement.ts'
import { statusesOf } from './status.ts'

export type { Settlement } from './settlement.ts'

export interface SupervisorDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: StateStore
  readonly events: EventSink
  readonly router: Router
  /** Absolute path of the data directory; marks what belongs to it. */
  readonly directory: string
  /** Where the output of instances goes. @default `<directory>/logs` */
  readonly logDirectory?: string
  /** @default as many as the machine has */
  readonly cores?: number
  /** What instances may inherit from. @default process.env */
  readonly env?: NodeJS.ProcessEnv
  /** Told of what went wrong and was worked around. @default nobody */
  readonly onProblem?: (problem: HoldfastError) => void
  /** For tests. */
  readonly runtime?: Runtime
  readonly limits?: Partial<FleetLimits>
  readonly restartLimits?: Partial<RestartLimits>
  readonly logLimits?: Partial<LogLimits>
}

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

interface Waiting {
  readonly resolve: (replaced: RestartOrder['replaced']) => void
  readonly reject: (error: HoldfastError) => void
}

/** Instances that a service can be scaled to by hand. */
const instancesMax = 1_000
const drainTimeoutDefault: Duration = seconds(30)
/** Before the routing is told again of an instance that it did not take. */
const admitAgainAfter: Duration = ms(250)
/** How long after the deadline of a stop the killed processes may take to vanish. */
const killGrace: Duration = seconds(5)
/** The same problem is not told again before this. */
const sayAgainAfter: Duration = seconds(10)
const problemsRemembered = 1_000
/** Lines of stderr kept with the report of an exit. */
const stderrLinesKept = 100
/** Of these, the ones that go into an error message. */
const stderrLinesInErrors = 3

export class Supervisor implements Component {
  readonly name = 'supervisor'
  /** What the instances write. */
  readonly logs: InstanceLogs
  readonly #deps: SupervisorDeps
  readonly #runtime: Runtime
  readonly #files: LogFiles
  readonly #journal: Journal
  readonly #services: ServiceBook
  readonly #instances: InstanceBook
  readonly #announcer: Announcer
  readonly #limits: FleetLimits
  readonly #fleet: Fleet
  #drive: Drive<Fleet, FleetInput> | undefined
  #drainTimeout = drainTimeoutDefault
  /** What was found at the start, until the first apply. */
  #found: { readonly records: Records; readonly marked: readonly MarkedProcess[] } | undefined
  /** Instances that the routing knows. */
  readonly #routed = new Set<string>()
  readonly #restarts = new Map<string, Waiting>()
  readonly #expected = new Map<string, string>()
  readonly #listeners = new Set<() => void>()
  #changeIsTold = true
  #stoppingAll = false
  /** When which problem was told. */
  readonly #saidAt = new Map<string, Instant>()

  constructor(deps: SupervisorDeps) {
    const { clock, random, store, events, directory } = deps
    this.#deps = deps
    const logDirectory = deps.logDirectory ?? join(directory, 'logs')
    const limits = { ...logLimits, ...deps.logLimits }
    const onLogProblem = (cause: unknown): void => this.#problem('log_problem', 'could not keep the output of an instance', cause)
    this.#files = new LogFiles(logDirectory, limits, onLogProblem)
    this.logs = new InstanceLogs({ clock, files: this.#files, limits, directory: logDirectory, onProblem: onLogProblem })
    this.#journal = new Journal(clock, store, (cause) => this.#problem('store_unavailable', 'could not write down what the supervisor did', cause))
    this.#services = new ServiceBook(clock, this.#journal)
    this.#instances = new InstanceBook(clock, this.#journal)
    this.#announcer = new Announcer(clock, events, this.#instances)
    this.#runtime =
      deps.runtime ??
      new ProcessRuntime({ clock, random, table: systemProcessTable(), output: this.#files, dataDirectory: directory, env: deps.env ?? process.env })
    this.#limits = { ...defaultFleetLimits(deps.cores ?? cpus().length), ...deps.limits }
    this.#fleet = new Fleet({
      limits: this.#limits,
      restartLimits: { ...restartLimits, ...deps.restartLimits },
      random,
      drainTimeout: () => this.#drainTimeout,
    })
  }

  // --- life

  /** Looks up what runs already. It is taken over, and everything else started, at the first `apply`. */
  async start(): Promise<void> {
    this.#runtime.onEvent = (event) => this.#onRuntimeEvent(event)
    const [records, marked] = await Promise.all([loadRecords(this.#deps.store), this.#runtime.marked()])
    this.#services.load(records.services)
    this.#instances.recallSlots(records.slots)
    this.#found = { records, marked }
    this.#runtime.start()
    this.logs.start()
    this.#drive = drive(this.#fleet, {
      clock: this.#deps.clock,
      execute: (command) => this.#execute(command),
      onState: () => this.#afterStep(),
    })
  }

  /** Lets go: instances go on running for the next control process. */
  async stop(deadline: AbortSignal): Promise<void> {
    if (!this.#drive) return
    this.#drive[Symbol.dispose]()
    this.#drive = undefined
    this.#runtime.stop()
    this.logs.stop()
    for (const { reject } of this.#restarts.values())
      reject(new HoldfastError('unavailable', 'the control process stopped before the restart was done'))
    this.#restarts.clear()
    await Promise.race([this.#journal.close(), aborted(deadline)])
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
    const found = this.#adoptFound(new Set(wanted.map(({ name }) => name)))
    this.#send({ type: 'apply', services: desired, ...found })
    for (const { id } of found?.found ?? []) this.#announceAdopted(id)
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
    const record = this.#services.want(config)
    const { name } = config
    return {
      config,
      revision: record.revision.number,
      stable: record.stable?.number,
      desired: this.#services.desired(config),
      bootTime: this.#services.bootTime(name),
    }
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
    this.#services.scale(service.config, instances)
    this.#send({ type: 'scale', service: name, desired: instances })
    await this.#journal.flush()
  }

  /**
   * Replaces every instance, the new one taking traffic before the old one goes. Resolves when the last old one has
   * ended. Rejects with `unknown_service`, with `conflict` while another restart runs, and with `restart_failed` when a new
   * instance does not get ready: the old ones that are left stay.
   */
  async restart(name: string): Promise<RestartOrder['replaced']> {
    const service = this.#known(name)
    if (service.restart) throw new HoldfastError('conflict', `tried to restart ${name}: it is being restarted already`)
    return new Promise((resolve, reject) => {
      this.#restarts.set(name, { resolve, reject })
      this.#send({ type: 'restart', service: name })
    })
  }

  /**
   * Drains and stops every instance, dependants first; what is left at the deadline is killed. Resolves when nothing of
   * ours runs any more. Rejects with `stop_failed` when something survives even that.
   */
  async stopAll(deadline: AbortSignal): Promise<void> {
    if (this.#found) this.apply([])
    this.#stoppingAll = true
    const kill = (): void => this.#send({ type: 'killAll' })
    this.#send({ type: 'stopAll' })
    if (deadline.aborted) kill()
    else deadline.addEventListener('abort', kill, { once: true })
    const empty = this.#until(() => this.#fleet.services.size === 0)
    await Promise.race([empty, aborted(deadline).then(() => (this.#fleet.services.size === 0 ? undefined : this.#wait(killGrace)))])
    deadline.removeEventListener('abort', kill)
    await this.#runtime.reaped()
    await this.#journal.flush()
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
      clock: this.#deps.clock,
      instances: this.#instances,
      services: this.#services,
      reading: (id: string) => this.#runtime.reading(id),
    }
    const services =
      service === undefined ? [...this.#fleet.services.values()] : [this.#fleet.services.get(service)].filter((one) => one !== undefined)
    return services.flatMap((one) => statusesOf(one, sources))
  }

  /** The revision that is wanted of a service; undefined: it is not one of ours. */
  revision(service: string): Revision | undefined {
    if (!this.#services.has(service)) return undefined
    const { number, specHash, version, createdAt } = this.#services.get(service).revision
    return { service, number, specHash, version, createdAt }
  }

  /** How many instances there shall be; 0 for a service that is not one of ours. */
  desired(service: string): number {
    return this.#fleet.services.get(service)?.desired ?? 0
  }

  /** Calls back after every change, at most once a tick. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  /** Resolves when as many instances take traffic as wanted. Rejects with `start_failed` when it comes to rest before. */
  async whenReady(name: string): Promise<void> {
    this.#known(name)
    await this.#until(() => {
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
    await this.#until(() => [...this.#fleet.services.values()].every((service) => isSettled(service)))
    return [...this.#fleet.services.values()].map((service) => this.#settlement(service))
  }

  // --- what others see of instances

  /** A connection to it broke: looks at once whether it lives. */
  check(id: string): void {
    this.#runtime.check(id)
  }

  /** The data plane's verdict from probing it. Unhealthy for 30 s: it is replaced. */
  reportHealth(id: string, health: 'healthy' | 'unhealthy', reason = 'its probe fails'): void {
    this.#tell(id, health === 'healthy' ? { type: 'healthy' } : { type: 'unhealthy', reason })
  }

  // --- adoption

  /** Takes over what was found at the start; undefined: that has been done. */
  #adoptFound(wanted: ReadonlySet<string>): { found: FoundInstance[]; slots: (KnownSlot & { service: string })[] } | undefined {
    if (!this.#found) return undefined
    const { records, marked } = this.#found
    this.#found = undefined
    const found: FoundInstance[] = []
    for (const record of withMarked(records.instances, marked)) {
      const instance = this.#adopt(record)
      if (instance) found.push(instance)
    }
    const live = new Set(found.map(({ id }) => id))
    for (const id of new Set(marked.map(({ instance }) => instance.id))) if (!live.has(id)) this.#runtime.reap(id)
    const slots = records.slots
      .filter(({ service }) => wanted.has(service))
      .map((slot) => ({ service: slot.service, ...recallSlot(slot, restartLimits.crashLoopWindow, this.#deps.clock) }))
    return { found: found.sort((a, b) => Number(b.readyFor !== undefined) - Number(a.readyFor !== undefined)), slots }
  }

  #adopt(record: InstanceRecord): FoundInstance | undefined {
    const { id, service, slot, revision, running, readyAt } = record
    if (running && this.#runtime.adopt(running)) {
      this.#instances.adopt(record)
      this.logs.track(service, id)
      const since = (at: WallTime): Duration => ms(Math.max(0, this.#deps.clock.wallTime() - at))
      const stop = this.#services.has(service) ? this.#services.get(service).stop : undefined
      return { id, service, slot, revision, age: since(running.startedAt), readyFor: readyAt === undefined ? undefined : since(readyAt), stop }
    }
    if (running) this.#announcer.endedUnseen(record, 'ended while no control process ran')
    this.#instances.forget(id)
    return undefined
  }

  #announceAdopted(id: string): void {
    const instance = this.#fleet.instance(id)
    const running = this.#instances.get(id)?.running
    if (instance && running) this.#announcer.adopted(instance, running.process.pid, running.port)
  }

  // --- what the runtime tells

  #onRuntimeEvent(event: RuntimeEvent): void {
    const { id } = event
    switch (event.type) {
      case 'spawned':
        this.#onSpawned(id, event.instance)
        return
      case 'spawnFailed':
        this.#tell(id, { type: 'spawnFailed', failure: event.failure })
        return
      case 'probePassed':
        this.#instances.ready(id, event.host)
        this.#tell(id, { type: 'probePassed' })
        return
      case 'diagnosed':
        this.#tell(id, { type: 'diagnosed', reason: event.reason })
        return
      case 'exited':
        // Before anything else: from this tick on nobody may send a request there.
        this.#gone(id, event.how)
        this.#tell(id, { type: 'exited', exit: event.examine() })
        return
      case 'groupGone':
        this.#tell(id, { type: 'groupGone' })
        return
      default:
        unreachable(event)
    }
  }

  #onSpawned(id: string, running: Extract<RuntimeEvent, { type: 'spawned' }>['instance']): void {
    this.#instances.spawned(id, running)
    const instance = this.#fleet.instance(id)
    if (instance) this.#announcer.started(instance, running.process.pid, running.port)
    this.#tell(id, { type: 'spawned' })
  }

  #gone(id: string, how: string): void {
    if (this.#routed.delete(id)) this.#deps.router.gone(this.#instances.routed(id), how)
  }

  // --- what the fleet says

  #execute(command: FleetCommand): void {
    switch (command.type) {
      case 'spawn':
        this.#spawn(command.instance)
        return
      case 'instance':
        this.#carryOut(command.instance, command.command)
        return
      case 'fact':
        this.#onFact(command.fact)
        return
      default:
        unreachable(command)
    }
  }

  #spawn(instance: Instance): void {
    const { id, service, revision } = instance
    const { source } = this.#services.revision(service, revision) ?? this.#services.get(service).revision
    this.#instances.intend(instance)
    this.#runtime.launch({ id, service, source })
    this.logs.track(service, id)
  }

  #carryOut({ id, service, bornAt }: Instance, command: InstanceCommand): void {
    const { clock } = this.#deps
    switch (command.type) {
      case 'probe':
        this.#runtime.probe(id, this.#fleet.services.get(service)?.config.health)
        return
      case 'diagnose':
        this.#runtime.diagnose(id, elapsed(bornAt, clock.now()))
        return
      case 'admit':
        this.#admit(id)
        return
      case 'drain':
        this.#drain(id, command.timeout)
        return
      case 'signal':
        this.#runtime.signal(id, this.#fleet.services.get(service)?.config.stop.signal ?? 'SIGTERM')
        return
      case 'kill':
        this.#runtime.kill(id)
        return
      case 'gone':
        this.#gone(id, 'exit')
        return
      case 'awaitGroup':
        this.#runtime.awaitGroup(id)
        return
      case 'reap':
        this.#runtime.reap(id)
        return
      default:
        unreachable(command)
    }
  }

  #admit(id: string): void {
    this.#routed.add(id)
    this.#deps.router.admit(this.#instances.routed(id)).then(
      () => this.#tell(id, { type: 'admitted' }),
      (cause: unknown) => {
        this.#problem('admit_failed', `the routing did not take ${id}`, cause)
        this.#deps.clock.schedule(after(this.#deps.clock.now(), admitAgainAfter), () => {
          const phase = this.#fleet.instance(id)?.state.phase
          if (this.#routed.has(id) && (phase === 'ready' || phase === 'unhealthy')) this.#admit(id)
        })
      },
    )
  }

  #drain(id: string, timeout: Duration): void {
    // One that was taken over only to be stopped has not been admitted; the routing learns of it here.
    this.#routed.add(id)
    this.#deps.router.drain(this.#instances.routed(id), timeout).then(
      () => this.#tell(id, { type: 'drained' }),
      // Nothing is certain then, so the stop waits until the deadline is well past.
      (cause: unknown) => this.#problem('drain_failed', `the routing could not tell whether ${id} is drained`, cause),
    )
  }

  #onFact(fact: Fact): void {
    switch (fact.type) {
      case 'changed':
        this.#onChanged(fact)
        return
      case 'ended':
        this.#onEnded(fact.instance, fact.ended)
        return
      case 'resting':
        this.#instances.saveSlot(fact.service, fact.slot)
        if (fact.entered) this.#announcer.crashLooping(fact, this.#instances.lastExit(fact.service, fact.slot.index)?.report)
        return
      case 'proven':
        this.#services.proven(fact.service, fact.revision)
        return
      case 'dependenciesMissing':
        this.#announcer.dependenciesMissed(fact.service, fact.missing, this.#limits.dependencyWait)
        return
      case 'restarted':
        this.#onRestarted(fact)
        return
      case 'rolloutFailed':
        this.#announcer.revisionFailed(fact.service, fact.revision, fact.reason, fact.retries)
        return
      case 'slotDropped':
        this.#instances.forgetSlot(fact.service, fact.slot)
        return
      case 'forgotten':
        this.#onForgotten(fact)
        return
      default:
        unreachable(fact)
    }
  }

  /** Removed for good; when everything stops, what is known of it is kept for the next time. */
  #onForgotten({ service, slots }: Extract<Fact, { type: 'forgotten' }>): void {
    this.#expected.delete(service)
    if (this.#stoppingAll) return
    this.#services.forget(service)
    for (const slot of slots) this.#instances.forgetSlot(service, slot)
  }

  #onChanged({ instance, before }: Extract<Fact, { type: 'changed' }>): void {
    const { id, service, bornAt, state } = instance
    if (state.phase === 'ready' && before.phase === 'starting') {
      const boot = elapsed(bornAt, this.#deps.clock.now())
      this.#announcer.ready(instance, this.#instances.routed(id).port, boot)
      this.#services.booted(service, boot)
      const bootTime = this.#services.bootTime(service)
      if (bootTime !== undefined) this.#send({ type: 'bootTime', service, bootTime })
      const slot = this.#fleet.services.get(service)?.slots.get(instance.slot)
      if (slot) this.#instances.saveSlot(service, slot)
    }
    this.#announcer.changed(instance, before, () => this.#runtime.stderrTail(id, stderrLinesKept))
  }

  #onEnded(instance: Instance, { class: exitClass, exit, uptime, reason }: Ended): void {
    const { id, service, slot } = instance
    const stderrTail = exit ? this.#files.stderrTail(service, id, stderrLinesKept) : []
    const signal = exit && signalOf(exit)
    const report = { at: this.#deps.clock.wallTime(), code: exit?.code, signal, class: exitClass, uptime, reason, stderrTail }
    if (exitClass !== 'ordered') this.#instances.setLastExit(service, slot, { id, report })
    this.#announcer.ended(instance, report, exit !== undefined)
    this.logs.untrack(id)
    this.#instances.forget(id)
  }

  #onRestarted({ service, order, error }: Extract<Fact, { type: 'restarted' }>): void {
    const waiting = this.#restarts.get(service)
    this.#restarts.delete(service)
    if (error === undefined) {
      waiting?.resolve(order.replaced)
      return
    }
    const tail =
      [...order.pending.keys()].map((slot) => this.#instances.lastExit(service, slot)?.report).find((report) => report?.reason === error)
        ?.stderrTail ?? []
    const said = tail.length > 0 ? `; it wrote last: ${tail.slice(-stderrLinesInErrors).join(' | ')}` : ''
    waiting?.reject(
      new HoldfastError('restart_failed', `restarted ${service}: a new instance ${error}${said}`, {
        hint: `the instances that were not replaced go on; holdfast logs ${service} shows more`,
        details: { replaced: order.replaced, stderrTail: tail },
      }),
    )
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
    for (const service of this.#fleet.services.values()) this.#expect(service)
    if (!this.#changeIsTold) return
    this.#changeIsTold = false
    queueMicrotask(() => {
      this.#changeIsTold = true
      for (const listener of this.#listeners) listener()
    })
  }

  #expect(service: Service): void {
    const expectation = { coming: isComing(service, this.#deps.clock), bootMs: this.#services.bootTime(service.name) }
    const told = JSON.stringify(expectation)
    if (this.#expected.get(service.name) === told) return
    this.#expected.set(service.name, told)
    this.#deps.router.expect(service.name, expectation)
  }

  #settlement(service: Service): Settlement {
    return settlementOf(service, this.instances(service.name))
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const listening = this.onChange(() => {
        if (!condition()) return
        listening[Symbol.dispose]()
        resolve()
      })
    })
  }

  #wait(wait: Duration): Promise<void> {
    const { clock } = this.#deps
    return new Promise((resolve) => {
      clock.schedule(after(clock.now(), wait), resolve)
    })
  }

  /** A broken disk says the same five times a second; once in a while is enough. */
  #problem(code: string, message: string, cause: unknown): void {
    const now = this.#deps.clock.now()
    const said = this.#saidAt.get(message)
    if (said !== undefined && elapsed(said, now) < sayAgainAfter) return
    if (this.#saidAt.size >= problemsRemembered) this.#saidAt.clear()
    this.#saidAt.set(message, now)
    this.#deps.onProblem?.(new HoldfastError(code, message, { cause }))
  }
}

const isProcessService = (service: ServiceConfig): service is ProcessService => service.source.kind === 'process'
