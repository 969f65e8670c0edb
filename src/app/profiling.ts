/** `ProfileOperations`: which instance is asked, and what is said of it. */
import { join } from 'node:path'
import type { Proxy } from '../balancer/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import { socketPath } from '../kernel/socket-path.ts'
import type { Clock } from '../kernel/time.ts'
import { Profiles } from '../profiling/index.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type { Actor } from './operations.ts'
import type { Flame, ProfileInfo, ProfileOperations, ProfileOptions } from './profile-operations.ts'

export interface ProfilingDeps {
  readonly clock: Clock
  readonly events: EventSink
  readonly proxy: Pick<Proxy, 'instruct'>
  /** The data directory. */
  readonly directory: string
  readonly service: (name: string) => ServiceStatus
  readonly onError: (error: unknown) => void
}

export class Profiling implements ProfileOperations {
  readonly #deps: ProfilingDeps
  readonly #profiles: Profiles

  constructor(deps: ProfilingDeps) {
    const { clock, directory, proxy, onError } = deps
    this.#deps = deps
    this.#profiles = new Profiles({
      clock,
      directory: join(directory, 'profiles'),
      socket: socketPath(directory, 'profiles'),
      instruct: async (instance, line) => proxy.instruct?.(instance, line),
      onEnded: (profile) => {
        this.#announce(profile)
      },
      onError,
    })
  }

  start(): Promise<void> {
    return this.#profiles.start()
  }

  stop(): void {
    this.#profiles.stop()
  }

  async take(service: string, { kind, durationMs, instance, actor }: ProfileOptions): Promise<ProfileInfo> {
    const status = this.#deps.service(service)
    const asked = chosen(status, instance)
    const processId = status.instances.find(({ id }) => id === asked)?.pid
    return this.#profiles.take({ service, instance: asked, kind, durationMs, actor: actor.name, processId })
  }

  list(): readonly ProfileInfo[] {
    return this.#profiles.list()
  }

  get(id: string): ProfileInfo {
    return this.#profiles.get(id)
  }

  file(id: string): string {
    return this.#profiles.file(id)
  }

  flame(id: string): Promise<Flame> {
    return this.#profiles.flame(id)
  }

  async remove(id: string, { actor }: { actor: Actor }): Promise<void> {
    const { service, instance, kind } = this.#profiles.get(id)
    await this.#profiles.remove(id)
    const data = { id, kind, actor: actor.name }
    this.#deps.events.emit('profile.removed', {
      message: `${actor.name} removed a ${kind} profile of ${instance}`,
      service,
      instance,
      cause: actor.cause,
      data,
    })
  }

  #announce({ id, service, instance, kind, state, bytes, error, actor }: ProfileInfo): void {
    if (state === 'done') {
      const message = `${actor} recorded a ${kind} profile of ${instance}`
      this.#deps.events.emit('profile.recorded', { message, service, instance, data: { id, kind, bytes, actor } })
      return
    }
    const reason = error ?? 'unknown'
    const message = `the ${kind} profile of ${instance} failed: ${reason}`
    this.#deps.events.emit('profile.failed', { message, level: 'warning', service, instance, data: { id, kind, reason, actor } })
  }
}

/** The one that was named, or the busiest of those that report. */
function chosen({ name, kind, instances, endpoints }: ServiceStatus, wanted: string | undefined): string {
  if (kind === 'static') {
    throw new HoldfastError('not_reporting', `tried to profile ${name}: its endpoints are run by somebody else`, {
      hint: 'only instances of a command can be',
    })
  }
  const reporting = new Set(endpoints.flatMap(({ instance, reported }) => (instance !== undefined && reported !== undefined ? [instance] : [])))
  if (wanted !== undefined) {
    if (!instances.some(({ id }) => id === wanted)) {
      const known = instances.map(({ id }) => id).join(', ')
      throw new HoldfastError('unknown_instance', `looked for instance ${wanted} of ${name}, found no such instance`, {
        hint: known === '' ? 'there are none' : `there are: ${known}`,
      })
    }
    if (!reporting.has(wanted)) throw notReporting(wanted)
    return wanted
  }
  const cpuOf = (id: string): number => instances.find((each) => each.id === id)?.resources?.cpuPercent ?? 0
  const [busiest] = [...reporting].sort((a, b) => cpuOf(b) - cpuOf(a))
  if (busiest === undefined) throw notReporting(name)
  return busiest
}

const notReporting = (name: string): HoldfastError =>
  new HoldfastError('not_reporting', `tried to profile ${name}: it reports nothing`, {
    hint: 'it must be a Node.js program that loads the reporter: node --import holdfast/instance/register server.js',
  })
