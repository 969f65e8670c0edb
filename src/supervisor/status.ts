/** How slots and instances look to users. */
import { wallTime, elapsed, type Clock, type Instant, type WallTime } from '../kernel/time.ts'
import { unreachable } from '../kernel/errors.ts'
import type { ExitReport, InstancePhase, InstanceStatus, ResourceReading } from '../registry/types.ts'
import type { Instance, Service, Slot } from './core/fleet-state.ts'
import type { InstanceState } from './core/instance-machine.ts'
import { withLastWords } from './core/last-words.ts'
import type { InstanceBook } from './instance-book.ts'
import type { ServiceBook } from './service-book.ts'

export interface StatusSources {
  readonly clock: Clock
  readonly instances: InstanceBook
  readonly services: ServiceBook
  readonly reading: (id: string) => ResourceReading | undefined
}

/** One for each slot, and one for each instance that replaces another or is on its way out. */
export function statusesOf(service: Service, sources: StatusSources): readonly InstanceStatus[] {
  const statuses: InstanceStatus[] = []
  for (const slot of [...service.slots.values()].sort((a, b) => a.index - b.index)) {
    statuses.push(slot.serving ? instanceStatus(slot.serving, slot, service, sources) : emptySlotStatus(slot, service, sources))
    if (slot.replacement) statuses.push(instanceStatus(slot.replacement, slot, service, sources))
  }
  for (const instance of service.retiring) statuses.push(instanceStatus(instance, undefined, service, sources))
  return statuses
}

function instanceStatus(instance: Instance, slot: Slot | undefined, service: Service, sources: StatusSources): InstanceStatus {
  const { id, revision, state } = instance
  const record = sources.instances.get(id)
  return {
    id,
    service: service.name,
    revision,
    version: sources.services.revision(service.name, revision)?.version,
    phase: phaseOf(state),
    pid: record?.running?.process.pid,
    host: record?.host ?? '127.0.0.1',
    port: record?.running?.port ?? 0,
    startedAt: record?.running?.startedAt,
    readyAt: record?.readyAt,
    restarts: slot?.restarts ?? 0,
    reason: reasonOf(state),
    nextStartAt: undefined,
    lastExit: sources.instances.lastExit(service.name, instance.slot)?.report,
    resources: sources.reading(id),
  }
}

/** A place without an instance shows under the id of the one it lost, or will have. */
function emptySlotStatus(slot: Slot, service: Service, { clock, instances, services }: StatusSources): InstanceStatus {
  const { rest } = slot
  const last = instances.lastExit(service.name, slot.index)
  const number = slot.revision ?? service.revision
  return {
    id: rest.phase === 'none' ? slot.nextId : (last?.id ?? slot.nextId),
    service: service.name,
    revision: number,
    version: services.revision(service.name, number)?.version,
    phase: rest.phase === 'none' ? 'starting' : rest.phase,
    pid: undefined,
    host: '127.0.0.1',
    port: 0,
    startedAt: undefined,
    readyAt: undefined,
    restarts: slot.restarts,
    reason: rest.phase === 'none' ? waitingReason(service) : restReason(slot, last?.report),
    nextStartAt: 'until' in rest ? wallOf(rest.until, clock) : undefined,
    lastExit: last?.report,
    resources: undefined,
  }
}

const wallOf = (at: Instant, clock: Clock): WallTime => wallTime(clock.wallTime() + elapsed(clock.now(), at))

const waitingReason = ({ released, config }: Service): string =>
  released ? 'waits for its turn to start' : `waits for ${config.dependsOn.join(', ')} to be ready`

/** When it is started again is `nextStartAt`: a sentence that counts down would be news each time it is looked at. */
function restReason({ rest }: Slot, last: ExitReport | undefined): string | undefined {
  switch (rest.phase) {
    case 'none':
      return undefined
    case 'done':
      return last === undefined ? rest.reason : withLastWords(`${rest.reason}: ${last.reason}`, last)
    case 'backoff':
    case 'crashLooping':
      return withLastWords(rest.reason, last)
    default:
      return unreachable(rest)
  }
}

function phaseOf(state: InstanceState): InstancePhase {
  switch (state.phase) {
    case 'spawning':
    case 'starting':
    case 'diagnosing':
      return 'starting'
    case 'ready':
    case 'unhealthy':
    case 'draining':
    case 'stopping':
      return state.phase
    case 'reaping':
    case 'exited':
      return 'stopping'
    default:
      return unreachable(state)
  }
}

function reasonOf(state: InstanceState): string | undefined {
  switch (state.phase) {
    case 'unhealthy':
      return state.reason
    case 'draining':
    case 'stopping':
    case 'reaping':
      return state.stop.reason
    case 'spawning':
    case 'starting':
    case 'ready':
    case 'exited':
      return undefined
    case 'diagnosing':
      return 'not ready in time'
    default:
      return unreachable(state)
  }
}
