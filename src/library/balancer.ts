/**
 * `holdfast/balancer`: the data plane as a server within your own program.
 *
 *   await using balancer = createBalancer({ listeners: { web: { port: 8080 } }, services: { shop: { endpoints: ['10.0.0.5:3000'] } } })
 *   await balancer.start()
 *
 * The configuration is that of the file: the same keys, checks and defaults. Services have `endpoints`; to run commands takes the whole (`createHoldfast`).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Certificates, lookMs } from '../app/certificates.ts'
import { endpointStatus } from '../app/service-status.ts'
import { noSwitches, Routing, type AddedEndpoint, type Switches } from '../app/routing.ts'
import { reachable } from '../app/holdfast.ts'
import { Traffic } from '../app/traffic.ts'
import { InProcessProxy, type ProxySignal } from '../balancer/index.ts'
import { parseConfig } from '../config/index.ts'
import type { Config } from '../config/types.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { systemClock } from '../kernel/system.ts'
import { after, ms } from '../kernel/time.ts'
import { proxyEndpointId, publicEndpointId, staticEndpointId } from '../registry/index.ts'
import type { EndpointStatus, ServiceTraffic } from '../registry/types.ts'
import { configText, type ConfigInput } from './config-input.ts'

export type { ConfigInput, EndpointStatus, ServiceTraffic }

/** What a balancer tells as it happens. */
export interface BalancerEvents {
  /** Its probes fail: it gets requests only when nothing healthy is left. */
  readonly unhealthy: { readonly service: string; readonly endpoint: string; readonly reason: string }
  readonly recovered: { readonly service: string; readonly endpoint: string }
  /** A connection to it broke or was refused. */
  readonly suspect: { readonly service: string; readonly endpoint: string; readonly reason: string }
  /** It has failed too often, and gets nothing for `forMs`. */
  readonly ejected: { readonly service: string; readonly endpoint: string; readonly reason: string; readonly forMs: number }
  readonly reinstated: { readonly service: string; readonly endpoint: string }
  /** Files of certificates were taken up anew, cannot be used, or are about to expire. */
  readonly certificate: { readonly type: string; readonly message: string; readonly level: string }
}

export interface NewEndpoint {
  readonly host: string
  readonly port: number
  /** Its share beside the others. @default 1 */
  readonly weight?: number
  /** @default the only service */
  readonly service?: string
}

/** A service that is alone and names no routes gets everything. Throws `config_invalid` with every problem in its details. Opens nothing yet. */
export function createBalancer(config: ConfigInput): Balancer {
  return new Balancer(parseConfig(configText(withRoutes(config)), { label: 'configuration' }).config)
}

function withRoutes(config: ConfigInput): ConfigInput {
  if (typeof config === 'string') return config
  const [only, ...more] = Object.entries(config.services)
  if (only === undefined || more.length > 0) return config
  const [name, service] = only
  return { ...config, services: { [name]: { routes: [{ path: '/' }], ...service } } }
}

export class Balancer implements AsyncDisposable {
  readonly #config: Config
  readonly #proxy = new InProcessProxy()
  readonly #routing = new Routing({ clock: systemClock, proxy: this.#proxy })
  readonly #traffic = new Traffic()
  readonly #certificates = new Certificates({
    clock: systemClock,
    events: {
      emit: (type, { message, level }) => {
        for (const listener of this.#certificateListeners) listener({ type, message, level: level ?? 'info' })
        return ''
      },
    },
  })
  readonly #certificateListeners = new Set<(event: BalancerEvents['certificate']) => void>()
  #certificatesTimer: Disposable | undefined
  #switches: Switches = noSwitches
  #stopped: Promise<void> | undefined

  /** Use `createBalancer`. */
  constructor(config: Config) {
    const command = Object.values(config.services).find(({ source }) => source.kind !== 'static')
    if (command) {
      throw new HoldfastError('config_invalid', `service ${command.name} has no endpoints, and a balancer by itself runs no commands`, {
        hint: 'give it endpoints, or use createHoldfast',
      })
    }
    this.#config = config
  }

  /**
   * Resolves when every listener takes requests. Rejects with `listen_failed` or `certificate_unusable`; nothing is open then. `listen: false` opens
   * none: requests come by `handler()` only.
   */
  async start({ listen = true }: { readonly listen?: boolean } = {}): Promise<void> {
    if (this.#stopped) throw new HoldfastError('stopped', 'tried to start a balancer that was stopped')
    this.#proxy.listening = listen
    await this.#proxy.connect()
    this.#proxy.onTelemetry((telemetry) => this.#traffic.add(telemetry))
    try {
      await this.#certify()
      await this.#change(this.#switches)
      this.#watchCertificates()
    } catch (error) {
      await this.stop(0)
      throw error
    }
  }

  /** Rejects with `certificate_unusable`; those in use stay in use. */
  async #certify(): Promise<boolean> {
    const loaded = await this.#certificates.load(this.#config)
    if (!this.#certificates.differs(loaded)) return false
    this.#routing.certify(loaded)
    this.#certificates.use(loaded)
    return true
  }

  /** Files that have changed take over with the next connections. */
  #watchCertificates(): void {
    if (this.#certificates.statuses.length === 0 && this.#certificates.current.origins.size === 0) return
    this.#certificatesTimer = systemClock.schedule(after(systemClock.now(), ms(lookMs)), () => {
      const look = async (): Promise<void> => {
        if (!(await this.#certify())) return
        await this.#routing.publish()
        this.#certificates.reloaded()
      }
      void look()
        .catch((error: unknown) => {
          this.#certificates.refused(error)
        })
        .finally(() => {
          if (!this.#stopped) this.#watchCertificates()
        })
    })
  }

  /**
   * For a server that the program has opened itself: `createServer(balancer.handler())`. Requests are routed as if they had come by the listener of
   * this name (default: the first), which need not be reachable. A WebSocket takes `server.on('upgrade', balancer.upgradeHandler())` too.
   */
  handler(listener = this.#firstListener()): (request: IncomingMessage, response: ServerResponse) => void {
    return (request, response) => {
      this.#proxy.handle(listener, request, response)
    }
  }

  upgradeHandler(listener = this.#firstListener()): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
    return (request, socket, head) => {
      if (socket instanceof Socket) this.#proxy.handleUpgrade(listener, request, socket, head)
      else socket.destroy()
    }
  }

  #firstListener(): string {
    // There is at least one: the configuration is complete.
    return Object.keys(this.#config.listeners)[0] ?? 'web'
  }

  /** Where clients on this machine reach it. */
  get listeners(): readonly { readonly name: string; readonly url: string }[] {
    return Object.entries(this.#config.listeners).map(([name, { host, port, tls }]) => ({
      name,
      url: `${tls ? 'https' : 'http'}://${reachable(host)}:${port}`,
    }))
  }

  /** Calls `listener` until the result is disposed. */
  on<T extends keyof BalancerEvents>(type: T, listener: (event: BalancerEvents[T]) => void): Disposable {
    if (type === 'certificate') return this.#onCertificate(listener as (event: BalancerEvents['certificate']) => void)
    const types: Readonly<Record<string, ProxySignal['type']>> = {
      unhealthy: 'endpointUnhealthy',
      recovered: 'endpointRecovered',
      suspect: 'endpointSuspect',
      ejected: 'endpointEjected',
      reinstated: 'endpointReinstated',
    }
    return this.#proxy.onSignal((signal) => {
      if (signal.type !== types[type] || !('endpoint' in signal)) return
      const { type: _, endpoint, ...rest } = signal
      listener({ ...rest, endpoint: publicEndpointId(signal.service, endpoint) } as unknown as BalancerEvents[T])
    })
  }

  #onCertificate(listener: (event: BalancerEvents['certificate']) => void): Disposable {
    this.#certificateListeners.add(listener)
    return { [Symbol.dispose]: () => this.#certificateListeners.delete(listener) }
  }

  endpoints(service = this.#onlyService()): readonly EndpointStatus[] {
    const config = this.#service(service)
    const telemetry = this.#proxy.telemetry()
    return this.#routing.endpointViews(config).map((view) => {
      const id = proxyEndpointId(service, view.id)
      return endpointStatus(view, service, telemetry.endpoints[id], this.#traffic.endpoint(id), undefined)
    })
  }

  /** Counts since the start; rates and quantiles over the last ten seconds. */
  traffic(service = this.#onlyService()): ServiceTraffic {
    return this.#traffic.service(this.#service(service).name)
  }

  /** Resolves with its id when it may get requests. Rejects with `conflict` when the service has it already. */
  async add({ host, port, weight = 1, service = this.#onlyService() }: NewEndpoint): Promise<string> {
    const id = staticEndpointId(host, port)
    if (!Number.isInteger(port) || port < 1 || port > 65_535 || host === '' || !(weight > 0 && weight <= 1_000)) {
      throw new HoldfastError('invalid_input', `an endpoint needs a host, a port from 1 to 65535 and a weight up to 1000, found ${id} with ${weight}`)
    }
    if (this.#routing.endpointViews(this.#service(service)).some((view) => view.id === id))
      throw new HoldfastError('conflict', `service ${service} has the endpoint ${id} already`)
    const added: AddedEndpoint = { id, service, host, port, weight }
    const { removed } = this.#switches
    await this.#change({ ...this.#switches, added: [...this.#switches.added, added], removed: removed.filter((each) => each !== id) })
    return id
  }

  /** Resolves when nothing new is sent there and what was under way is done, or after `drainMs`. Rejects with `unknown_endpoint`. */
  async remove(id: string, { service = this.#onlyService(), drainMs = this.#config.cluster.gracefulShutdownTimeout } = {}): Promise<void> {
    this.#known(service, id)
    const { added, removed, maintenanceEndpoints } = this.#switches
    await this.#change({
      ...this.#switches,
      added: added.filter((each) => each.id !== id || each.service !== service),
      removed: [...removed, id],
      maintenanceEndpoints: maintenanceEndpoints.filter((each) => each !== id),
    })
    await this.#proxy.drained(proxyEndpointId(service, id), drainMs)
  }

  /** Nothing new is sent there while it is on. Rejects with `unknown_endpoint`. */
  async setMaintenance(id: string, on: boolean, service = this.#onlyService()): Promise<void> {
    this.#known(service, id)
    const others = this.#switches.maintenanceEndpoints.filter((each) => each !== id)
    await this.#change({ ...this.#switches, maintenanceEndpoints: on ? [...others, id] : others })
  }

  /** Stops accepting, lets requests finish for `deadlineMs`, then cuts. Safe to call twice. */
  stop(deadlineMs: number = this.#config.cluster.gracefulShutdownTimeout): Promise<void> {
    this.#routing.close()
    this.#certificatesTimer?.[Symbol.dispose]()
    this.#stopped ??= this.#proxy.shutdown(deadlineMs)
    return this.#stopped
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #change(switches: Switches): Promise<void> {
    this.#switches = switches
    this.#routing.configure(this.#config, switches)
    await this.#routing.publish()
  }

  #service(name: string): Config['services'][string] {
    const service = this.#config.services[name]
    if (service) return service
    throw new HoldfastError('unknown_service', `there is no service ${JSON.stringify(name)}`, {
      hint: `there is: ${Object.keys(this.#config.services).join(', ')}`,
    })
  }

  #onlyService(): string {
    const [only, ...more] = Object.keys(this.#config.services)
    if (only !== undefined && more.length === 0) return only
    throw new HoldfastError('invalid_input', 'name the service: the balancer has several', {
      hint: `one of ${Object.keys(this.#config.services).join(', ')}`,
    })
  }

  #known(service: string, id: string): void {
    const known = this.#routing.endpointViews(this.#service(service)).map((view) => view.id)
    if (known.includes(id)) return
    throw new HoldfastError('unknown_endpoint', `service ${service} has no endpoint ${JSON.stringify(id)}`, { hint: `it has ${known.join(', ')}` })
  }
}
