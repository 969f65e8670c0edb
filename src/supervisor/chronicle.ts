/** What the fleet says has happened, put where it belongs: into the books, and to whoever reads events. Nothing is done about it here. */
import { unreachable } from '../kernel/errors.ts'
import { elapsed, type Clock, type Duration } from '../kernel/time.ts'
import type { Announcer } from './announcer.ts'
import { signalOf } from './core/exit.ts'
import type { Fact } from './core/fleet-types.ts'
import type { Fleet } from './core/fleet.ts'
import type { Instance } from './core/fleet-state.ts'
import type { Ended } from './core/judge.ts'
import type { InstanceBook } from './instance-book.ts'
import type { InstanceLogs } from './output/instance-logs.ts'
import type { LogFiles } from './output/log-files.ts'
import type { Restarts } from './restarts.ts'
import type { Runtime } from './runtimes/runtime.ts'
import type { ServiceBook } from './service-book.ts'

export interface ChronicleDeps {
  readonly clock: Clock
  readonly fleet: Fleet
  readonly instances: InstanceBook
  readonly services: ServiceBook
  readonly announcer: Announcer
  readonly restarts: Restarts
  readonly runtime: Runtime
  readonly files: LogFiles
  readonly logs: InstanceLogs
  readonly dependencyWait: Duration
  /** How long the service takes to boot is known better now. */
  readonly onBootTime: (service: string, bootTime: Duration) => void
  /** A service is gone, with these slots. */
  readonly onForgotten: (service: string, slots: readonly number[]) => void
}

/** Lines of stderr kept with the report of an exit. */
const stderrLinesKept = 100

export class Chronicle {
  readonly #deps: ChronicleDeps

  constructor(deps: ChronicleDeps) {
    this.#deps = deps
  }

  note(fact: Fact): void {
    const { instances, services, announcer, restarts, dependencyWait, onForgotten } = this.#deps
    switch (fact.type) {
      case 'changed':
        this.#changed(fact)
        return
      case 'ended':
        this.#ended(fact.instance, fact.ended)
        return
      case 'resting':
        instances.saveSlot(fact.service, fact.slot)
        if (fact.entered) announcer.crashLooping(fact, instances.lastExit(fact.service, fact.slot.index)?.report)
        return
      case 'proven':
        services.proven(fact.service, fact.revision)
        return
      case 'dependenciesMissing':
        announcer.dependenciesMissed(fact.service, fact.missing, dependencyWait)
        return
      case 'restarted':
        restarts.done(fact)
        return
      case 'rolloutFailed':
        announcer.revisionFailed(fact.service, fact.revision, fact.reason, fact.retries)
        return
      case 'overMemory':
        announcer.memoryExceeded(fact.instance, fact.memoryBytes, fact.limitBytes)
        return
      case 'slotDropped':
        instances.forgetSlot(fact.service, fact.slot)
        return
      case 'forgotten':
        onForgotten(fact.service, fact.slots)
        return
      default:
        unreachable(fact)
    }
  }

  #changed({ instance, before }: Extract<Fact, { type: 'changed' }>): void {
    const { runtime, announcer } = this.#deps
    const { id, state } = instance
    if (state.phase === 'ready' && before.phase === 'starting') this.#booted(instance)
    announcer.changed(instance, before, () => runtime.stderrTail(id, stderrLinesKept))
  }

  #booted(instance: Instance): void {
    const { clock, fleet, instances, services, announcer, onBootTime } = this.#deps
    const { id, service, bornAt } = instance
    const boot = elapsed(bornAt, clock.now())
    announcer.ready(instance, instances.routed(id).port, boot)
    services.booted(service, boot)
    const bootTime = services.bootTime(service)
    if (bootTime !== undefined) onBootTime(service, bootTime)
    const slot = fleet.services.get(service)?.slots.get(instance.slot)
    if (slot) instances.saveSlot(service, slot)
  }

  #ended(instance: Instance, { class: exitClass, exit, uptime, reason }: Ended): void {
    const { clock, files, instances, announcer, logs } = this.#deps
    const { id, service, slot } = instance
    const stderrTail = exit ? files.stderrTail(service, id, stderrLinesKept) : []
    const signal = exit && signalOf(exit)
    const report = { at: clock.wallTime(), code: exit?.code, signal, class: exitClass, uptime, reason, stderrTail }
    if (exitClass !== 'ordered') instances.setLastExit(service, slot, { id, report })
    announcer.ended(instance, report, exit !== undefined)
    logs.untrack(id)
    instances.forget(id)
  }
}
