/**
 * Whose address is this? Of a service (its instances, its endpoints, a listener that routes to it), or of a check's target. Addresses of this machine are one:
 * `localhost`, `127.0.0.1` and the machine's own.
 */

/** Where a listener sends what comes in: by host and path, as requests are routed. */
export interface ListenerRoute {
  readonly host: string | undefined
  readonly path: string
  readonly service: string
}

export interface AddressFacts {
  /** Addresses that lead to one node whatever is asked for. */
  readonly nodes: readonly { readonly host: string; readonly port: number; readonly name: string }[]
  readonly listeners: readonly { readonly port: number; readonly routes: readonly ListenerRoute[] }[]
  /** Whether a host is this machine. */
  readonly isLocal: (host: string) => boolean
}

export class AddressBook {
  readonly #isLocal: (host: string) => boolean
  readonly #nodes = new Map<string, string>()
  readonly #listeners = new Map<number, readonly ListenerRoute[]>()

  constructor({ nodes, listeners, isLocal }: AddressFacts) {
    this.#isLocal = isLocal
    for (const { host, port, name } of nodes) {
      const key = this.#key(host, port)
      // Of a service and a check of the same address the service is meant: it comes first.
      if (!this.#nodes.has(key)) this.#nodes.set(key, name)
    }
    for (const { port, routes } of listeners) this.#listeners.set(port, routes)
  }

  ports(): { readonly known: ReadonlySet<number>; readonly listeners: ReadonlySet<number> } {
    const known = [...this.#nodes.keys()].map((key) => Number(key.slice(key.lastIndexOf(':') + 1)))
    return { known: new Set(known), listeners: new Set(this.#listeners.keys()) }
  }

  /** Who is behind the address itself; undefined: nobody that is known, or a listener. */
  at(host: string, port: number): string | undefined {
    return this.#nodes.get(this.#key(host, port))
  }

  /** The listener's port on this machine. */
  isListener(host: string, port: number): boolean {
    return this.#listeners.has(port) && this.#isLocal(host)
  }

  /** The service that a request for this URL comes to; undefined: not by a listener of ours. */
  routed(host: string, port: number, path: string): string | undefined {
    const routes = this.isListener(host, port) ? this.#listeners.get(port)! : []
    const fitting = routes.filter((route) => isHost(route.host, host.toLowerCase()) && isUnder(path, route.path))
    return fitting.reduce<ListenerRoute | undefined>((best, route) => (best === undefined || isCloser(route, best) ? route : best), undefined)
      ?.service
  }

  /** The only service behind a listener; undefined: there are several. */
  onlyBehind(port: number): string | undefined {
    const services = new Set((this.#listeners.get(port) ?? []).map(({ service }) => service))
    return services.size === 1 ? [...services][0] : undefined
  }

  #key(host: string, port: number): string {
    return this.#isLocal(host) ? `:${port}` : `${host.toLowerCase()}:${port}`
  }
}

const isUnder = (path: string, prefix: string): boolean =>
  prefix === '/' || path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
const isCloser = (a: ListenerRoute, b: ListenerRoute): boolean =>
  (a.host !== undefined) === (b.host !== undefined) ? a.path.length > b.path.length : a.host !== undefined
const isHost = (pattern: string | undefined, host: string): boolean =>
  pattern === undefined || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
