/**
 * The listening sockets. One worker opens a socket and hands it up; the others get it from here, and the primary keeps it without
 * accepting from it. So anybody may die and no connection is refused.
 *
 * New listeners are opened before anything is routed by their view, the old ones closed after it; if one cannot be had, all is as before. In
 * one case the old must go first: a listener that moves between addresses that exclude each other (127.0.0.1:80 to 0.0.0.0:80). Everything
 * else is opened before that, so that the port is without a listener only from the last close to the bind, and the old one
 * comes back when the new one cannot be had.
 */
import { closeSync } from 'node:fs'
import { HoldfastError, messageOf } from '../../kernel/errors.ts'
import { listenerKey, type ListenerView } from '../core/routing-view.ts'
import type { OpenMessage, WorkerToPrimary } from '../messages.ts'
import { workerAnswerMs, type Crew } from './crew.ts'
import type { Peer } from './peer.ts'
import { firstInheritedDescriptor, type WorkerHandle } from './worker-handle.ts'

export interface InheritedListener extends ListenerView {
  readonly fd: number
}

interface OpenListener extends ListenerView {
  /** Kept, never accepted from. */
  readonly handle: { close(): void }
}

export class Listeners {
  readonly #crew: Crew
  readonly #open = new Map<string, OpenListener>()
  /** Not closed in every worker yet: until then the port may be in use. */
  readonly #closing = new Set<{ readonly port: number; readonly closed: Promise<void> }>()
  #inherited: readonly InheritedListener[]

  constructor(crew: Crew, inherited: readonly InheritedListener[]) {
    this.#crew = crew
    this.#inherited = inherited
  }

  /** For the first worker that starts. */
  get inheritedDescriptors(): readonly number[] {
    return this.#inherited.map(({ fd }) => fd)
  }

  /** Gives a worker that has just started all that is open. */
  handTo(worker: Peer): void {
    for (const listener of this.#open.values()) give(worker, listener)
  }

  /** Opens those of a view that are not open yet. Rejects with `listen_failed`, and then everything is as it was. */
  async open(wanted: readonly ListenerView[]): Promise<void> {
    const missing = wanted.filter((listener) => !this.#open.has(listenerKey(listener)))
    const opened: OpenListener[] = []
    const closed: OpenListener[] = []
    const inTheWay: ListenerView[] = []
    const ports = missing.map(({ port }) => port)
    await Promise.all([...this.#closing].filter(({ port }) => ports.includes(port)).map(({ closed }) => closed))
    try {
      for (const listener of missing) {
        const blockers = this.#blockers(listener, wanted)
        try {
          opened.push(await this.#openOne(listener))
        } catch (error) {
          if (!isInUse(error) || blockers.length === 0) throw error
          inTheWay.push(listener)
        }
      }
      for (const listener of inTheWay) {
        for (const blocker of this.#blockers(listener, wanted)) {
          closed.push(blocker)
          await this.#close(blocker)
        }
        opened.push(await this.#openOne(listener))
      }
    } catch (error) {
      for (const listener of opened) await this.#close(listener)
      for (const listener of closed) await this.#reopen(listener, error)
      throw error
    }
  }

  /** Closes what a view has no more. */
  closeOthers(wanted: readonly ListenerView[]): void {
    const keys = new Set(wanted.map(listenerKey))
    for (const listener of [...this.#open.values()]) {
      if (keys.has(listenerKey(listener))) continue
      // Only whoever opens the port again has to wait for it.
      const closing = { port: listener.port, closed: this.#close(listener) }
      this.#closing.add(closing)
      void closing.closed.then(() => this.#closing.delete(closing))
    }
    this.#releaseInherited()
  }

  /** The workers close theirs by themselves. */
  end(): void {
    for (const { handle } of this.#open.values()) handle.close()
    this.#open.clear()
  }

  /** Listeners of ours that are to go, and may be what keeps this one from its address: same port, another host. */
  #blockers({ host, port }: ListenerView, wanted: readonly ListenerView[]): OpenListener[] {
    const keys = new Set(wanted.map(listenerKey))
    return [...this.#open.values()].filter((other) => other.port === port && other.host !== host && !keys.has(listenerKey(other)))
  }

  async #openOne({ name, host, port }: ListenerView): Promise<OpenListener> {
    const here = (each: ListenerView): boolean => each.host === host && each.port === port
    // Another listener on the same address that is about to go (it was renamed): its socket serves on.
    const twin = [...this.#open.values()].find(here)
    const inherited = this.#inherited.findIndex(here)
    const ready = this.#crew.workers.filter((worker) => worker.ready)
    const opener = twin ? undefined : inherited < 0 ? ready[0] : ready.find((worker) => worker.inherits)
    if (!twin && !opener) throw new HoldfastError('listen_failed', `listening on ${host}:${port} failed: no proxy worker is running`)
    const handle =
      twin?.handle ??
      (await this.#openIn(opener!, { type: 'open', name, host, port, fd: inherited < 0 ? undefined : firstInheritedDescriptor + inherited }))
    const listener: OpenListener = { name, host, port, handle }
    this.#open.set(listenerKey(listener), listener)
    for (const worker of this.#crew.workers) if (worker !== opener && worker.ready) give(worker, listener)
    return listener
  }

  #openIn(opener: WorkerHandle, order: OpenMessage): Promise<OpenListener['handle']> {
    const { name, host, port } = order
    return new Promise((resolve, reject) => {
      const hear = (message: WorkerToPrimary | undefined, received: unknown): boolean => {
        if (message === undefined)
          reject(new HoldfastError('listen_failed', `listening on ${host}:${port} failed: the proxy worker that tried has exited`))
        else if (message.type === 'opened' && message.name === name) resolve(received as OpenListener['handle'])
        else if (message.type === 'openFailed' && message.name === name) reject(listenError(host, port, message.code, message.message))
        else return false
        return true
      }
      const watching = this.#crew.watch((peer, message, received) => {
        if (peer !== opener || !hear(message, received)) return
        clearTimeout(timer)
        watching[Symbol.dispose]()
      })
      // Killed, it is seen to exit, and that rejects.
      const timer = setTimeout(() => {
        opener.giveUp()
      }, workerAnswerMs)
      opener.send(order)
    })
  }

  /** Resolves when the socket is closed in every process, or after a time. */
  async #close(listener: OpenListener): Promise<void> {
    const { name, host, port, handle } = listener
    const key = listenerKey(listener)
    this.#open.delete(key)
    if (![...this.#open.values()].some((other) => other.handle === handle)) handle.close()
    const waiting = new Set(this.#crew.everyone.filter((peer) => peer.ready))
    const watching = this.#crew.watch((peer, message) => {
      if (message === undefined || (message.type === 'closed' && listenerKey(message) === key)) waiting.delete(peer)
    })
    this.#crew.tell({ type: 'closeListener', name, host, port })
    await this.#crew.until(
      () => waiting.size === 0,
      workerAnswerMs,
      () => undefined,
    )
    watching[Symbol.dispose]()
  }

  async #reopen(listener: OpenListener, because: unknown): Promise<void> {
    try {
      await this.#openOne(listener)
    } catch (error) {
      const { host, port } = listener
      throw new HoldfastError(
        'listen_failed',
        `${messageOf(because)}; opening ${host}:${port} again, which was closed for it, failed too: ${messageOf(error)}`,
        {
          hint: 'apply the configuration again when the address is free',
          cause: error,
        },
      )
    }
  }

  /** What we inherited is open under handles of our own now: the bare descriptors would keep a listener alive that has been closed. */
  #releaseInherited(): void {
    for (const { fd } of this.#inherited) closeSync(fd)
    this.#inherited = []
  }
}

function give(worker: Peer, { name, host, port, handle }: OpenListener): void {
  worker.send({ type: 'listener', name, host, port }, handle)
}

const isInUse = (error: unknown): boolean =>
  error instanceof HoldfastError && (error.details as { readonly code?: unknown } | undefined)?.code === 'EADDRINUSE'

function listenError(host: string, port: number, code: string, message: string): HoldfastError {
  const hint =
    code === 'EADDRINUSE'
      ? `find who listens there with "ss -ltnp 'sport = :${port}'", end it or choose another port under listeners`
      : code === 'EACCES'
        ? `ports below 1024 need the right to bind them: run as root, grant cap_net_bind_service to node, or choose a higher port`
        : 'check listeners in the configuration'
  return new HoldfastError('listen_failed', `listening on ${host}:${port} failed: ${code === 'EADDRINUSE' ? 'the address is in use' : message}`, {
    hint,
    details: { host, port, code },
  })
}
