/** Says what happens to instances as events, each with the event that led to it. */
import { unreachable } from '../kernel/errors.ts'
import type { EventLevel, EventSink } from '../kernel/events.ts'
import { formatDuration } from '../kernel/duration.ts'
import { elapsed, wallTime, type Clock, type Duration } from '../kernel/time.ts'
import type { ExitClass, ExitReport } from '../registry/types.ts'
import type { Fact } from './core/fleet-types.ts'
import type { Instance } from './core/fleet-state.ts'
import type { InstanceState } from './core/instance-machine.ts'
import { withLastWords } from './core/last-words.ts'
import type { InstanceBook } from './instance-book.ts'
import type { InstanceRecord } from './records.ts'

/** Of the last lines of stderr, an event carries so many. */
export const stderrLinesInEvents = 20

interface Cause {
  readonly cause: string | undefined
}

export class Announcer {
  readonly #clock: Clock
  readonly #events: EventSink
  readonly #book: InstanceBook

  constructor(clock: Clock, events: EventSink, book: InstanceBook) {
    this.#clock = clock
    this.#events = events
    this.#book = book
  }

  started(instance: Instance, pid: number, port: number): void {
    const message = `${instance.id} started as process ${pid} on port ${port}`
    const cause = this.#book.takeSlotCause(instance.service, instance.slot)
    this.#say(
      instance,
      this.#events.emit('instance.started', { message, data: { pid, port, revision: instance.revision }, ...this.#of(instance, cause) }),
    )
  }

  adopted(instance: Instance, pid: number, port: number): void {
    const message = `${instance.id} was running already as process ${pid} and was taken over`
    this.#say(
      instance,
      this.#events.emit('instance.adopted', { message, data: { pid, port, revision: instance.revision }, ...this.#of(instance, undefined) }),
    )
  }

  ready(instance: Instance, port: number, boot: Duration): void {
    const message = `${instance.id} is ready after ${formatDuration(boot)}`
    this.#say(instance, this.#events.emit('instance.ready', { message, data: { port, bootMs: Math.round(boot) }, ...this.#of(instance) }))
  }

  /** Changes that users care about and that no other event tells. */
  changed(instance: Instance, before: InstanceState, stderrTail: () => readonly string[]): void {
    const { id, state } = instance
    if (state.phase === 'unhealthy') {
      const message = `${id} is unhealthy: ${state.reason}`
      this.#say(
        instance,
        this.#events.emit('instance.unhealthy', { message, level: 'warning', data: { reason: state.reason }, ...this.#of(instance) }),
      )
    } else if (state.phase === 'ready' && before.phase === 'unhealthy') {
      this.#say(instance, this.#events.emit('instance.recovered', { message: `${id} is healthy again`, data: {}, ...this.#of(instance) }))
    } else if (state.phase === 'draining') {
      const { reason } = state.stop
      this.#say(
        instance,
        this.#events.emit('instance.draining', { message: `${id} gets no new requests: ${reason}`, data: { reason }, ...this.#of(instance) }),
      )
    } else if (state.phase === 'stopping' && before.phase === 'diagnosing' && state.stop.failed) {
      this.#startFailed(instance, state.stop.reason, stderrTail())
    }
  }

  memoryExceeded(instance: Instance, memoryBytes: number, limitBytes: number): void {
    const message = `${instance.id} holds ${mebibytes(memoryBytes)} of memory and may hold ${mebibytes(limitBytes)}; another one will take its place`
    const data = { memoryBytes, limitBytes }
    this.#say(instance, this.#events.emit('instance.memoryExceeded', { message, level: 'warning', data, ...this.#of(instance) }))
  }

  #startFailed(instance: Instance, reason: string, stderrTail: readonly string[]): void {
    const data = { reason, stderrTail: stderrTail.slice(-stderrLinesInEvents) }
    const message = withLastWords(`${instance.id} did not start: ${reason}`, { class: 'startFailed', stderrTail })
    this.#say(instance, this.#events.emit('instance.startFailed', { message, level: 'error', data, ...this.#of(instance) }))
  }

  ended(instance: Instance, report: ExitReport, wasSpawned: boolean): void {
    if (wasSpawned) this.#exited(instance, report)
    else this.#startFailed(instance, report.reason, report.stderrTail)
    const event = this.#book.cause(instance.id)
    if (event !== undefined) this.#book.setSlotCause(instance.service, instance.slot, event)
  }

  #exited(instance: Instance, { code, signal, class: exitClass, uptime, reason, stderrTail }: ExitReport): void {
    const id = this.#events.emit('instance.exited', {
      message: withLastWords(`${instance.id} ${reason}`, { class: exitClass, stderrTail }),
      level: levelOf(exitClass),
      data: {
        ...(code === undefined ? {} : { code }),
        ...(signal === undefined ? {} : { signal }),
        class: exitClass,
        uptimeMs: Math.round(uptime),
        stderrTail: stderrTail.slice(-stderrLinesInEvents),
      },
      ...this.#of(instance),
    })
    this.#say(instance, id)
  }

  /** It ended while no control process ran. */
  endedUnseen({ id, service, slot, running }: InstanceRecord, reason: string): void {
    const uptimeMs = running ? Math.max(0, this.#clock.wallTime() - running.startedAt) : 0
    const data = { class: 'unknown', uptimeMs, stderrTail: [] }
    const event = this.#events.emit('instance.exited', { message: `${id} ${reason}`, level: 'warning', service, instance: id, data })
    this.#book.setSlotCause(service, slot, event)
  }

  crashLooping({ service, slot, rest, last }: Extract<Fact, { type: 'resting' }>, report: ExitReport | undefined): void {
    if (rest.phase !== 'crashLooping') return
    const now = this.#clock.now()
    const failures = slot.history.failures.length
    const event = this.#events.emit('instance.crashLooping', {
      message: `${last} is crash looping: ${failures} failures in a short time, the last one: ${withLastWords(rest.reason, report)}; it is tried again about every ${formatDuration(rest.wait)}`,
      level: 'critical',
      service,
      instance: last,
      cause: this.#book.takeSlotCause(service, slot.index),
      data: {
        failures,
        nextStartAt: wallTime(this.#clock.wallTime() + elapsed(now, rest.until)),
        stderrTail: (report?.stderrTail ?? []).slice(-stderrLinesInEvents),
      },
    })
    this.#book.setSlotCause(service, slot.index, event)
  }

  revisionFailed(service: string, revision: number, reason: string, retries: boolean): void {
    const then = retries ? 'it is tried again' : 'it is not tried again before something changes'
    const message = `revision ${revision} of ${service} did not start: ${reason}; what ran before goes on, and ${then}`
    this.#events.emit('service.revisionFailed', { message, level: 'error', service, data: { revision, reason, retries } })
  }

  dependenciesMissed(service: string, missing: readonly string[], waited: Duration): void {
    const message = `${service} is started although ${missing.join(', ')} did not become ready within ${formatDuration(waited)}`
    this.#events.emit('service.dependenciesMissed', { message, level: 'warning', service, data: { missing, waitedMs: waited } })
  }

  #of({ id, service }: Instance, cause = this.#book.cause(id)): { service: string; instance: string } & Cause {
    return { service, instance: id, cause }
  }

  #say({ id }: Instance, event: string): void {
    this.#book.setCause(id, event)
  }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`

function levelOf(exitClass: ExitClass): EventLevel {
  switch (exitClass) {
    case 'ordered':
      return 'info'
    case 'completed':
    case 'killed':
    case 'unknown':
      return 'warning'
    case 'config':
    case 'oom':
    case 'crash':
    case 'startFailed':
      return 'error'
    default:
      return unreachable(exitClass)
  }
}
