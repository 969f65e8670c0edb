/** `CacheOperations`: values of the control process, and the answers that the balancer keeps. */
import type { Proxy } from '../balancer/index.ts'
import type { CacheCounts } from '../balancer/core/cache/counts.ts'
import type { ProxyTelemetry } from '../balancer/port.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { CacheOperations, CacheReport, PurgeOrder, RedisLayer, ResponsesReport, StoredValue, ValueOptions } from './cache-operations.ts'
import type { Actor } from './operations.ts'
import { announceRedis, type Values } from './values.ts'

export interface CachesDeps {
  readonly values: Values
  readonly proxy: Pick<Proxy, 'purge' | 'telemetry'>
  readonly events: EventSink
  /** Names of the services that there are. */
  readonly services: () => readonly string[]
}

export class Caches implements CacheOperations {
  readonly #deps: CachesDeps
  /** Of the balancer. */
  #redis: RedisLayer | undefined

  constructor(deps: CachesDeps) {
    this.#deps = deps
  }

  /** Says when the balancer has lost its Redis, and has it back. */
  look({ cache }: ProxyTelemetry): void {
    const before = this.#redis
    this.#redis = cache?.redis
    if (this.#redis) announceRedis(this.#deps.events, 'responses', before, this.#redis)
  }

  report(): CacheReport {
    const { values } = this.#deps
    return { values: values.stats, maxBytes: values.maxBytes, redis: values.redis, responses: this.#responses() }
  }

  #responses(): ResponsesReport | undefined {
    const telemetry = this.#deps.proxy.telemetry()
    if (telemetry === undefined) return undefined
    const services: Record<string, CacheCounts> = Object.create(null) as Record<string, CacheCounts>
    for (const [name, { cache }] of Object.entries(telemetry.services)) if (cache) services[name] = cache
    if (telemetry.cache === undefined && Object.keys(services).length === 0) return undefined
    return { store: telemetry.cache, services }
  }

  get(key: string): Promise<unknown> {
    return this.#deps.values.get(key)
  }

  set(key: string, value: unknown, options: ValueOptions): Promise<StoredValue> {
    return this.#deps.values.set(key, value, options)
  }

  delete(key: string): Promise<void> {
    return this.#deps.values.delete(key)
  }

  async clear({ actor }: { actor: Actor }): Promise<{ readonly responses: number }> {
    const { values, events } = this.#deps
    await values.clear()
    const responses = await this.#purge({ by: 'all' })
    events.emit('cache.cleared', { message: `${actor.name} cleared the cache`, cause: actor.cause, data: { responses, actor: actor.name } })
    return { responses }
  }

  async purge(order: PurgeOrder, { actor }: { actor: Actor }): Promise<{ readonly responses: number }> {
    const { values, events, services } = this.#deps
    if ((order.by === 'service' || order.by === 'release') && order.service !== undefined) checkService(order.service, services())
    if (order.by === 'tag' && order.soft !== true) await values.invalidateTags(order.tags)
    const responses = await this.#purge(order)
    const { by, soft = false, ...what } = order
    events.emit('cache.purged', {
      message: `${actor.name} ${soft ? 'made stale' : 'purged'} what the cache holds ${describe(order)}`,
      cause: actor.cause,
      data: { by, soft, ...what, responses, actor: actor.name },
    })
    return { responses }
  }

  async #purge(order: PurgeOrder): Promise<number> {
    const purged = await this.#deps.proxy.purge?.(order)
    return purged?.entries ?? 0
  }
}

function checkService(name: string, known: readonly string[]): void {
  if (known.includes(name)) return
  throw new HoldfastError('unknown_service', `tried to purge the answers of service ${name}, found no such service`, {
    hint: known.length === 0 ? 'there are none' : `there are: ${known.join(', ')}`,
  })
}

function describe(order: PurgeOrder): string {
  switch (order.by) {
    case 'url':
      return `of ${order.url}`
    case 'prefix':
      return `of ${order.prefix}…`
    case 'tag':
      return `with ${order.tags.length === 1 ? 'the tag' : 'one of the tags'} ${order.tags.join(', ')}`
    case 'release':
      return `of version ${order.release}${order.service === undefined ? '' : ` of ${order.service}`}`
    case 'service':
      return `of ${order.service}`
    case 'all':
      return 'of all services'
  }
}
