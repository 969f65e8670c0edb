/**
 * Leaves a trail of what was asked: an event before a changing request is carried out (so that a crash in the middle cannot
 * hide it) and one after, which names the first as its cause. Denials are recorded too, but only so many: a flood of
 * refused requests must not push the real history out of the log.
 */
import type { FastifyRequest } from 'fastify'
import { addressKey, RateLimiter } from '../access/index.ts'
import type { AuditData, EventSink } from '../kernel/events.ts'
import { minutes, type Clock } from '../kernel/time.ts'
import type { Caller } from './caller.ts'

/** Recorded denials per address, and in all. */
export const denialsRecordedPerAddress = { count: 10, per: minutes(1) } as const
export const denialsRecorded = { count: 60, per: minutes(1) } as const
/** Longer paths are cut in sentences. */
const pathCharactersMax = 200

export class AuditTrail {
  readonly #sink: EventSink
  readonly #clock: Clock
  readonly #perAddress = new RateLimiter(denialsRecordedPerAddress)
  readonly #all = new RateLimiter(denialsRecorded)
  #unrecorded = 0

  constructor(sink: EventSink, clock: Clock) {
    this.#sink = sink
    this.#clock = clock
  }

  /** Before a changing request is carried out. Its data say status 0: not answered yet. */
  granted(request: FastifyRequest, caller: Caller): string {
    const data = auditData(request, caller, 0)
    return this.#sink.emit('access.granted', { level: 'debug', message: `${data.actor} may ${target(request)}`, data })
  }

  /** After it, before the answer leaves. */
  finished(request: FastifyRequest, status: number): void {
    const { caller, failure } = request
    if (caller.granted === undefined) return
    const data = auditData(request, caller, status)
    if (status < 400) {
      this.#sink.emit('action.done', { message: `${data.actor}: ${target(request)}, done`, data, cause: caller.granted })
      return
    }
    const error = failure ?? `answered ${status}`
    this.#sink.emit('action.failed', {
      level: 'warning',
      message: `${data.actor}: ${target(request)}, failed: ${error}`,
      data: { ...data, error },
      cause: caller.granted,
    })
  }

  denied(request: FastifyRequest, caller: Caller, status: number, why: string): void {
    const now = this.#clock.now()
    if (!this.#perAddress.take(addressKey(request.ip), now).allowed || !this.#all.take('', now).allowed) {
      this.#unrecorded++
      return
    }
    const before = this.#unrecorded === 0 ? '' : ` (${this.#unrecorded} denials before this one were not recorded)`
    this.#unrecorded = 0
    const data = auditData(request, caller, status)
    this.#sink.emit('access.denied', {
      level: 'warning',
      message: `${data.actor} from ${data.address} may not ${target(request)}: ${why}${before}`,
      data,
    })
  }
}

function auditData(request: FastifyRequest, { principal, actor }: Caller, status: number): AuditData {
  return {
    actor: actor.name,
    role: principal?.role ?? 'none',
    action: `${request.method} ${request.routeOptions.url ?? 'unknown route'}`,
    address: actor.address,
    requestId: request.id,
    status,
  }
}

/** Method and path without the query, in which a credential might stand; only plain characters. */
function target(request: FastifyRequest): string {
  const [path = ''] = request.url.split('?', 1)
  return `${request.method} ${path.slice(0, pathCharactersMax).replace(/[^\x21-\x7e]/g, '?')}`
}
