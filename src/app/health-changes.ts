/** Says when the health of a service has changed. What it was at the first look is no change. */
import type { EventSink } from '../kernel/events.ts'
import type { ServiceStatus } from '../registry/types.ts'

export class HealthChanges {
  readonly #events: EventSink
  readonly #health = new Map<string, ServiceStatus['health']>()

  constructor(events: EventSink) {
    this.#events = events
  }

  look(services: readonly ServiceStatus[]): void {
    for (const { name, health, reason } of services) {
      const before = this.#health.get(name)
      if (before === health) continue
      this.#health.set(name, health)
      if (before === undefined) continue
      const worse = health === 'unhealthy' || health === 'degraded'
      this.#events.emit('service.healthChanged', {
        message: `${name} changed from ${before} to ${health}${reason === undefined ? '' : `: ${reason}`}`,
        level: health === 'unhealthy' ? 'error' : worse ? 'warning' : 'info',
        service: name,
        data: { from: before, to: health },
      })
    }
  }
}
