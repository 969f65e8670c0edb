/**
 * How services do, in one place: what the program registers by hand, and all services of a running Holdfast when it was given one. Says when
 * the health of a service changes, alerts when it becomes worse, and tells of scaling.
 *
 * A face: for the services of a Holdfast it repeats what that decided (`service.healthChanged`, `service.scaled`). It judges nothing itself.
 */
import { EventEmitter } from 'node:events'
import { healthOf, MachineReader, type Health } from '../api/index.ts'
import type { ScalingRecord } from '../app/operations.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventOf } from '../kernel/events.ts'
import { newId, systemClock } from '../kernel/system.ts'
import type { WallTime } from '../kernel/time.ts'
import { elapsed } from '../kernel/time.ts'
import { Ring } from '../kernel/ring.ts'
import type { Holdfast } from './holdfast.ts'
import type { InfrastructureConfig } from './infrastructure-config.ts'

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'

/** What a program registers of a service. */
export interface ServiceHealth {
  readonly service: string
  readonly status: HealthStatus | 'starting' | 'maintenance'
  readonly timestamp: Date
  /** Milliseconds; null without requests. */
  readonly responseTime: number | null
  readonly details: ServiceDetails
  readonly dependencies: readonly (string | { readonly service: string; readonly status: HealthStatus })[]
}

export interface ServiceDetails {
  /** Seconds. */
  readonly uptime?: number
  /** Percent, as the other two. */
  readonly cpuUsage?: number | null
  readonly memoryUsage?: number | null
  readonly diskUsage?: number
  readonly connections?: number
  readonly errors?: number
  readonly [key: string]: unknown
}

export interface InfrastructureHealth {
  /** The worst of its services; one of several that is unhealthy makes the whole degraded. */
  readonly status: HealthStatus
  readonly timestamp: Date
  readonly services: readonly ServiceHealth[]
  readonly system: Health['system']
  /** Seconds since this service was made. */
  readonly uptime: number
}

export interface HealthChange {
  readonly serviceName: string
  readonly from: ServiceHealth['status']
  readonly to: ServiceHealth['status']
}

export interface InfrastructureAlert {
  readonly id: string
  readonly type: 'warning' | 'critical'
  readonly title: string
  readonly message: string
  readonly service: string
  readonly timestamp: Date
  readonly status: 'active' | 'resolved'
}

export interface ScalingEvent extends Omit<ScalingRecord, 'timestamp'> {
  readonly timestamp: Date
}

interface EmitterEvents {
  healthChange: [change: HealthChange]
  alert: [alert: InfrastructureAlert]
  scaling: [event: ScalingEvent]
}

/** Alerts kept, resolved ones among them; the oldest go first. */
const alertsMax = 1_000
const servicesMax = 10_000

export class InfrastructureService extends EventEmitter<EmitterEvents> implements Disposable {
  readonly config: InfrastructureConfig
  readonly #holdfast: Holdfast | undefined
  readonly #startedAt = systemClock.now()
  readonly #machine = new MachineReader(systemClock)
  readonly #registered = new Map<string, ServiceHealth>()
  readonly #active = new Map<string, InfrastructureAlert>()
  readonly #alerts = new Ring<InfrastructureAlert>(alertsMax)
  readonly #listening: Disposable[] = []

  /** `holdfast`: its services are told of too; started and stopped by whoever made it. */
  constructor(config: InfrastructureConfig = {}, holdfast?: Holdfast) {
    super()
    this.config = config
    this.#holdfast = holdfast
    if (!holdfast) return
    this.#listening.push(
      holdfast.on('service.healthChanged', (event) => this.#onHealthChanged(event)),
      holdfast.on('alert.fired', (event) => {
        this.#fired(event)
      }),
      holdfast.on('alert.resolved', ({ data }) => this.#active.delete(data.fingerprint)),
      holdfast.on('service.scaled', (event) => this.emit('scaling', scalingEvent(event))),
    )
  }

  /** Stops listening to the Holdfast it was given. */
  [Symbol.dispose](): void {
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]()
  }

  /**
   * Registers a service, or says how one does now: another status than before is a `healthChange`, a worse one an `alert`. Throws `invalid_input`
   * for a name that is none, and when there are too many.
   */
  registerService(name: string, health: ServiceHealth): void {
    if (name === '') throw new HoldfastError('invalid_input', 'a service needs a name, found an empty one')
    const before = this.#registered.get(name)
    if (!before && this.#registered.size >= servicesMax)
      throw new HoldfastError('invalid_input', `tried to register ${name}: there are ${servicesMax} services already`)
    this.#registered.set(name, { ...health, service: name })
    // The first status is no change, but a bad one is worth an alert.
    this.#changed({ serviceName: name, from: before?.status ?? 'healthy', to: health.status }, undefined, before !== undefined)
  }

  /** Returns whether it was registered. */
  unregisterService(name: string): boolean {
    this.#resolve(name)
    return this.#registered.delete(name)
  }

  /** As registered, newest word first known; those of the Holdfast as they are at this moment. */
  async getHealthStatus(): Promise<InfrastructureHealth> {
    const services = [...this.#registered.values(), ...this.#ofHoldfast()]
    return {
      status: overall(services.map(({ status }) => status)),
      timestamp: dateOf(systemClock.wallTime()),
      services,
      system: this.#machine.read(),
      uptime: Math.floor(elapsed(this.#startedAt, systemClock.now()) / 1_000),
    }
  }

  /** Newest first. Without a Holdfast nothing is scaled. */
  getScalingEvents(limit = 100): readonly ScalingEvent[] {
    return this.#holdfast?.scalingEvents(limit).map((record) => ({ ...record, timestamp: new Date(record.timestamp) })) ?? []
  }

  /** Rejects with `not_available` without a Holdfast. */
  async scaleService(service: string, instances: number, reason?: string): Promise<ScalingEvent> {
    if (!this.#holdfast) {
      throw new HoldfastError('not_available', `tried to scale ${service}: this service watches only`, {
        hint: 'give it a Holdfast: new InfrastructureService(config, holdfast)',
      })
    }
    const record = await this.#holdfast.scale(service, instances, reason)
    return { ...record, timestamp: new Date(record.timestamp) }
  }

  /** Not resolved yet, oldest first. */
  getActiveAlerts(): readonly InfrastructureAlert[] {
    return [...this.#active.values()]
  }

  /** Also the resolved ones, oldest first. */
  getAlerts(): readonly InfrastructureAlert[] {
    return this.#alerts
      .toArray()
      .map((alert) => ((this.#active.get(alert.id) ?? this.#active.get(alert.service))?.id === alert.id ? alert : { ...alert, status: 'resolved' }))
  }

  #ofHoldfast(): readonly ServiceHealth[] {
    if (!this.#holdfast) return []
    const { services, timestamp } = healthOf(this.#holdfast.overview(), this.#machine, systemClock)
    const dependencies = new Map(this.#holdfast.services().map(({ name, dependsOn }) => [name, dependsOn]))
    return services.map(({ service, status, responseTime, details }) => ({
      service,
      status,
      timestamp: new Date(timestamp),
      responseTime,
      details,
      dependencies: dependencies.get(service) ?? [],
    }))
  }

  #onHealthChanged({ service, data, message }: EventOf<'service.healthChanged'>): void {
    if (service === undefined) return
    this.#changed({ serviceName: service, from: data.from as ServiceHealth['status'], to: data.to as ServiceHealth['status'] }, message, true)
  }

  #changed(change: HealthChange, message: string | undefined, known: boolean): void {
    const { serviceName, from, to } = change
    if (from === to) return
    if (known) this.emit('healthChange', change)
    if (to === 'unhealthy' || to === 'degraded') this.#alert(serviceName, to, message ?? `Service ${serviceName} changed from ${from} to ${to}`)
    else if (to === 'healthy') this.#resolve(serviceName)
  }

  /** What the rules of the Holdfast say. Its graver levels are all `critical` here. */
  #fired({ message, time, service, data }: EventOf<'alert.fired'>): void {
    const type = data.severity === 'warning' ? 'warning' : 'critical'
    const alert = {
      id: data.fingerprint,
      type,
      title: data.alertname,
      message,
      service: service ?? '',
      timestamp: dateOf(time),
      status: 'active',
    } as const
    this.#active.set(data.fingerprint, alert)
    this.#alerts.push(alert)
    this.emit('alert', alert)
  }

  #alert(service: string, to: 'unhealthy' | 'degraded', message: string): void {
    const alert: InfrastructureAlert = {
      id: newId(),
      type: to === 'unhealthy' ? 'critical' : 'warning',
      title: `Service ${to}`,
      message,
      service,
      timestamp: dateOf(systemClock.wallTime()),
      status: 'active',
    }
    this.#active.set(service, alert)
    this.#alerts.push(alert)
    this.emit('alert', alert)
  }

  #resolve(service: string): void {
    this.#active.delete(service)
  }
}

const dateOf = (time: WallTime): Date => new Date(time)

function overall(statuses: readonly ServiceHealth['status'][]): HealthStatus {
  if (statuses.length > 0 && statuses.every((status) => status === 'unhealthy')) return 'unhealthy'
  return statuses.some((status) => status === 'unhealthy' || status === 'degraded') ? 'degraded' : 'healthy'
}

function scalingEvent({ id, time, service, data }: EventOf<'service.scaled'>): ScalingEvent {
  const { from, to, trigger, reason } = data
  return {
    id,
    type: to > from ? 'scale-up' : 'scale-down',
    trigger,
    service: service ?? '',
    from,
    to,
    reason,
    timestamp: dateOf(time),
    success: true,
  }
}
