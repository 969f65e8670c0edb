/**
 * The hands of the supervisor: carries out what the fleet orders, and tells it what came of that.
 *
 *   fleet ──spawn, signal, kill, …──▶ executor ──▶ runtime
 *         ◀──spawned, ready, exited──          ◀──
 *                                    admission ──▶ router
 *
 * Nothing is decided here.
 */
import { unreachable } from '../kernel/errors.ts'
import { elapsed, type Clock } from '../kernel/time.ts'
import type { Admission } from './admission.ts'
import type { Announcer } from './announcer.ts'
import type { Fleet } from './core/fleet.ts'
import { instancesOf, type Instance } from './core/fleet-state.ts'
import type { MemoryReading } from './core/fleet-types.ts'
import type { InstanceCommand, InstanceInput } from './core/instance-machine.ts'
import type { InstanceBook } from './instance-book.ts'
import type { InstanceLogs } from './output/instance-logs.ts'
import type { RunningInstance, Runtime, RuntimeEvent } from './runtimes/runtime.ts'
import type { ServiceBook } from './service-book.ts'

export interface ExecutorDeps {
  readonly clock: Clock
  readonly fleet: Fleet
  readonly runtime: Runtime
  readonly admission: Admission
  readonly instances: InstanceBook
  readonly services: ServiceBook
  readonly announcer: Announcer
  readonly logs: InstanceLogs
  /** What the fleet is told of an instance. */
  readonly tell: (id: string, input: InstanceInput) => void
  readonly onMemory: (readings: readonly MemoryReading[]) => void
}

export class Executor {
  readonly #deps: ExecutorDeps

  constructor(deps: ExecutorDeps) {
    this.#deps = deps
  }

  spawn(instance: Instance): void {
    const { services, instances, runtime, logs } = this.#deps
    const { id, service, revision } = instance
    const { source, version } = services.revision(service, revision) ?? services.get(service).revision
    instances.intend(instance, version)
    runtime.launch({ id, service, source })
    logs.track(service, id)
  }

  carryOut({ id, service, bornAt }: Instance, command: InstanceCommand): void {
    const { clock, fleet, runtime, admission } = this.#deps
    const config = fleet.services.get(service)?.config
    switch (command.type) {
      case 'probe':
        runtime.probe(id, config?.health, config?.origin)
        return
      case 'diagnose':
        runtime.diagnose(id, elapsed(bornAt, clock.now()))
        return
      case 'admit':
        admission.admit(id)
        return
      case 'drain':
        admission.drain(id, command.timeout)
        return
      case 'signal':
        runtime.signal(id, config?.stop.signal ?? 'SIGTERM')
        return
      case 'kill':
        runtime.kill(id)
        return
      case 'gone':
        admission.gone(id, 'exit')
        return
      case 'awaitGroup':
        runtime.awaitGroup(id)
        return
      case 'reap':
        runtime.reap(id)
        return
      default:
        unreachable(command)
    }
  }

  onRuntimeEvent(event: RuntimeEvent): void {
    const { instances, admission, tell } = this.#deps
    if (event.type === 'read') {
      this.#weigh()
      return
    }
    const { id } = event
    switch (event.type) {
      case 'spawned':
        this.#onSpawned(id, event.instance)
        return
      case 'spawnFailed':
        tell(id, { type: 'spawnFailed', failure: event.failure })
        return
      case 'probePassed':
        instances.ready(id, event.host)
        tell(id, { type: 'probePassed' })
        return
      case 'diagnosed':
        tell(id, { type: 'diagnosed', reason: event.reason })
        return
      case 'exited':
        // Before anything else: from this tick on nobody may send a request there.
        admission.gone(id, event.how)
        tell(id, { type: 'exited', exit: event.examine() })
        return
      case 'groupGone':
        tell(id, { type: 'groupGone' })
        return
      default:
        unreachable(event)
    }
  }

  /** Tells the fleet what those hold that have a limit. */
  #weigh(): void {
    const { fleet, runtime, onMemory } = this.#deps
    const limited = [...fleet.services.values()].filter(({ config }) => config.resources !== undefined)
    const readings = limited
      .flatMap((service) => [...instancesOf(service)])
      .flatMap(({ id }) => {
        const reading = runtime.reading(id)
        return reading ? [{ id, memoryBytes: reading.memoryBytes }] : []
      })
    if (readings.length > 0) onMemory(readings)
  }

  #onSpawned(id: string, running: RunningInstance): void {
    const { instances, fleet, announcer, tell } = this.#deps
    instances.spawned(id, running)
    const instance = fleet.instance(id)
    if (instance) announcer.started(instance, running.process.pid, running.port)
    tell(id, { type: 'spawned' })
  }
}
