/**
 * Finds out who calls whom. The balancer tells the client's port of calls that come from this machine, and the service they went to; connections that do not go through
 * the balancer are looked for every five seconds. Either way the kernel's table of connections says which socket it is, and the descriptors of the instances whose.
 *
 *   port 40112 called auth 17 times ─▶ /proc/net/tcp: 40112 → 8080 is socket 55021 ─▶ descriptor of pid 4711, an instance of shop ─▶ shop needs auth
 *
 * A connection that is closed before it is looked up belongs to nobody. So a look also remembers the ports of connections that nobody has asked for yet, and callers
 * that open a new connection for each call are found by chance, sooner or later.
 */
import type { AddressBook } from './core/addresses.ts'
import { connectionsIn, type Connection } from './core/connections.ts'
import type { Learning } from './core/learning.ts'
import { SocketOwners, textOf, type RunningInstance } from './owners.ts'

export interface ToldFlow {
  readonly port: number
  readonly service: string
  readonly calls: number
}

export interface FlowsDeps {
  readonly learning: Learning
  readonly book: () => AddressBook
  readonly instances: () => readonly RunningInstance[]
  /** Ports of services and of targets of checks: where connections are that go past the balancer. */
  readonly isKnownPort: (port: number) => boolean
  readonly isListenerPort: (port: number) => boolean
  /** Wall time in milliseconds. */
  readonly now: () => number
}

/** Between two looks at connections that go past the balancer. */
export const directEveryMs = 5_000
/** A port that was looked up in vain is somebody else's (a browser, a load generator): it is not looked up again for this time. */
const strangerMs = 30_000
/** Who had a port a moment ago has it still, or has just closed it: the kernel gives it to nobody else so soon. */
const portKeptMs = 10_000
/** Ports that are remembered. */
const portsMax = 4_096

interface KnownPort {
  /** undefined: no instance. */
  readonly service: string | undefined
  readonly inode: string
  at: number
}

export class FlowFinder {
  readonly #deps: FlowsDeps
  readonly #owners = new SocketOwners()
  readonly #ports = new Map<number, KnownPort>()
  #looking: Promise<void> | undefined
  #directAt = -Infinity
  /** Calls that were told, and those whose caller was found. */
  told = 0
  traced = 0

  constructor(deps: FlowsDeps) {
    this.#deps = deps
  }

  /** Of the balancer. Resolves when it has been made use of. */
  async hear(flows: readonly ToldFlow[]): Promise<void> {
    // One at a time: while one look is under way, what is told is dropped. It is a sample anyway.
    if (this.#looking) return
    const now = this.#deps.now()
    if (flows.some(({ port }) => !this.#isFresh(port, now))) await this.look()
    const callers = new Map<string, { from: string; to: string; calls: number }>()
    for (const { port, service, calls } of flows) {
      this.told += calls
      const from = this.#ports.get(port)?.service
      if (from === undefined) continue
      this.traced += calls
      const key = `${from}\n${service}`
      const caller = callers.get(key) ?? { from, to: service, calls: 0 }
      callers.set(key, { ...caller, calls: caller.calls + calls })
    }
    for (const { from, to, calls } of callers.values()) this.#deps.learning.see(from, to, 'calls', calls, this.#deps.now())
  }

  /** Looks at the connections there are now; when the time has come, also at those that go past the balancer. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const { isKnownPort, isListenerPort, instances, now } = this.#deps
    const direct = now() - this.#directAt >= directEveryMs
    const running = instances()
    if (running.length === 0) return
    const tables = await Promise.all([textOf('/proc/net/tcp'), textOf('/proc/net/tcp6')])
    const connections = tables.flatMap((table) => connectionsIn(table, (port) => isListenerPort(port) || (direct && isKnownPort(port))))
    const ours = connections.filter(
      ({ remotePort, remoteHost }) => !isListenerPort(remotePort) || this.#deps.book().isListener(remoteHost, remotePort),
    )
    await this.#owners.find(new Set(ours.filter((each) => this.#isUnknown(each)).map(({ inode }) => inode)), running)
    for (const connection of ours) if (isListenerPort(connection.remotePort)) this.#remember(connection)
    if (direct) {
      this.#directAt = now()
      this.#countDirect(ours)
      this.#owners.retain(new Set(connections.map(({ inode }) => inode)))
    }
    this.#forgetPorts()
  }

  #isUnknown({ localPort, inode, remotePort }: Connection): boolean {
    if (!this.#deps.isListenerPort(remotePort)) return true
    const known = this.#ports.get(localPort)
    return known?.inode !== inode || (known.service === undefined && this.#deps.now() - known.at > strangerMs)
  }

  #remember({ localPort, inode }: Connection): void {
    const known = this.#ports.get(localPort)
    const service = this.#owners.ownerOf(inode)
    const at = this.#deps.now()
    if (known?.inode === inode && known.service === service) {
      if (service !== undefined || at - known.at > strangerMs) known.at = at
      return
    }
    this.#ports.delete(localPort)
    this.#ports.set(localPort, { service, inode, at })
  }

  #isFresh(port: number, now: number): boolean {
    const known = this.#ports.get(port)
    return known !== undefined && now - known.at <= (known.service === undefined ? strangerMs : portKeptMs)
  }

  #forgetPorts(): void {
    const now = this.#deps.now()
    for (const [port, { at }] of this.#ports) if (now - at > strangerMs || this.#ports.size > portsMax) this.#ports.delete(port)
  }

  #countDirect(connections: readonly Connection[]): void {
    const { book, learning, now } = this.#deps
    const pairs = new Map<string, readonly [string, string]>()
    for (const { remoteHost, remotePort, inode } of connections) {
      const from = this.#owners.ownerOf(inode)
      const to = from === undefined ? undefined : book().at(remoteHost, remotePort)
      if (from !== undefined && to !== undefined) pairs.set(`${from}\n${to}`, [from, to])
    }
    for (const [from, to] of pairs.values()) learning.see(from, to, 'connections', 1, now())
  }
}
