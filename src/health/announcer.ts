/** Says what became of checks, as events. */
import type { EventLevel, EventSink } from '../kernel/events.ts'
import type { Checker, Judged } from './checker.ts'
import type { Monitor } from './core/monitor.ts'
import type { CheckDefinition, CheckLevel, CheckSeverity, NetworkView, TrafficCause } from './types.ts'

/** So many runs in a row that came to nothing are told. */
const inconclusiveTold = 3

const levels: Readonly<Record<CheckSeverity, EventLevel>> = { warning: 'warning', critical: 'error', emergency: 'critical' }

export class Announcer {
  readonly #events: EventSink

  constructor(events: EventSink) {
    this.#events = events
  }

  outcome(checker: Checker, before: Monitor, levelBefore: CheckLevel, judged: Judged): void {
    const { definition, monitor } = checker
    this.#state(checker, before, monitor, judged)
    if (checker.level !== levelBefore) this.#level(definition, levelBefore, checker.level, judged)
    if (checker.inconclusive === inconclusiveTold) {
      this.#events.emit('check.inconclusive', {
        message: `the check ${definition.name} says nothing: ${judged.message}`,
        level: 'warning',
        service: definition.service,
        data: { check: definition.name, kind: definition.kind, reason: judged.message },
      })
    }
  }

  #state(checker: Checker, before: Monitor, now: Monitor, { message }: Judged): void {
    const { name, kind, severity, service } = checker.definition
    if (now.state === 'suspect' && before.state !== 'suspect') {
      this.#events.emit('check.suspected', {
        message: `the check ${name} failed: ${message}`,
        level: 'info',
        service,
        data: { check: name, kind, cause: 'probe', reason: message },
      })
    }
    const from = checker.believed
    const to = now.state === 'up' ? 'up' : now.state === 'down' || now.state === 'recovering' ? 'down' : from
    checker.believed = to
    if (from === to || (from === 'unknown' && to === 'up')) return
    const forMs = Math.max(0, now.since - checker.fellAt)
    if (to === 'down') checker.fellAt = now.since
    this.#events.emit('check.changed', {
      message: to === 'down' ? `${name} is down: ${message}` : `${name} is ${to} again after ${Math.round(forMs / 1_000)} s: ${message}`,
      level: to === 'down' ? levels[severity] : 'info',
      service,
      data: { check: name, kind, from, to, severity, reason: message },
    })
  }

  #level({ name, kind, service }: CheckDefinition, from: CheckLevel, to: CheckLevel, { message, value }: Judged): void {
    this.#events.emit('check.levelChanged', {
      message: `the check ${name} is ${to === 'ok' ? 'within its thresholds again' : to}: ${message}`,
      level: to === 'ok' ? 'info' : 'warning',
      service,
      data: { check: name, kind, from, to, ...(value !== undefined && { value }), reason: message },
    })
  }

  traffic({ name, kind, service = '' }: CheckDefinition, cause: TrafficCause, message: string): void {
    if (cause === 'traffic') {
      this.#events.emit('check.suspected', {
        message: `the check ${name} passes, and at least half of the real requests to ${service} fail`,
        level: 'warning',
        service,
        data: { check: name, kind, cause: 'traffic', reason: message },
      })
      return
    }
    this.#events.emit('check.contradicted', {
      message: `the check ${name} fails (${message}), and real requests to ${service} do well: the check is broken rather than the service`,
      level: 'warning',
      service,
      data: { check: name, kind, reason: message },
    })
  }

  partial({ name, kind, service }: CheckDefinition, reason: string): void {
    this.#events.emit('check.suspected', {
      message: `the check ${name} fails from this node only: ${reason}`,
      level: 'warning',
      service,
      data: { check: name, kind, cause: 'partial reachability', reason },
    })
  }

  network({ blind, reason = '' }: NetworkView, forMs: number): void {
    if (blind) {
      this.#events.emit('network.lost', {
        message: `this node cannot see the network: ${reason}; no check is taken for down because of that`,
        level: 'critical',
        data: { reason },
      })
      return
    }
    this.#events.emit('network.recovered', { message: `this node sees the network again after ${Math.round(forMs / 1_000)} s`, data: { forMs } })
  }
}
