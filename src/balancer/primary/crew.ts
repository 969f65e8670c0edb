/**
 * The workers: as many as wanted are kept running, whoever dies is replaced, and orphans of the primary before us are counted in until
 * they have ended.
 *
 *   starting ──ready──▶ serving ──exit──▶ (another one is starting)
 */
import { messageOf } from '../../kernel/errors.ts'
import { systemClock } from '../../kernel/system.ts'
import type { RoutingView } from '../core/routing-view.ts'
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import type { OrphanLink } from './orphan-link.ts'
import type { Peer, Watcher } from './peer.ts'
import { WorkerHandle } from './worker-handle.ts'

/** A worker that keeps dying is started again after 0, 100, 200, … ms, at most this. */
const respawnMsMax = 2_000
const respawnStepMs = 100
/** A worker that lived this long was not a failure to start. */
const settledMs = 10_000
/** A worker that does not begin, or does not take a view, within this is replaced. */
export const workerAnswerMs = 5_000

export interface CrewOptions {
  readonly logDescriptor: number
  /** What a worker must be told first. */
  readonly welcome: (index: number) => PrimaryToWorker
  /** Inherited descriptors, for the first worker that starts. */
  readonly inherited: () => readonly number[]
  readonly onReady: (worker: Peer) => void
  readonly onMessage: (peer: Peer, message: WorkerToPrimary) => void
  /** It has ended, and is no more among `everyone`. */
  readonly onLeft: (peer: Peer) => void
  readonly onExit: (pid: number, code: number | undefined, signal: string | undefined) => void
}

export class Crew {
  /** How many workers of our own should run. */
  readonly size: number
  readonly #options: CrewOptions
  readonly #workers = new Set<WorkerHandle>()
  readonly #orphans = new Set<OrphanLink>()
  readonly #watchers = new Set<Watcher>()
  #deaths = 0
  #stopping = false

  constructor(size: number, options: CrewOptions) {
    this.size = size
    this.#options = options
  }

  get workers(): readonly WorkerHandle[] {
    return [...this.#workers]
  }

  /** All that carry traffic: our own and orphans. */
  get everyone(): readonly Peer[] {
    return [...this.#workers, ...this.#orphans]
  }

  has(peer: Peer): boolean {
    return this.#workers.has(peer as WorkerHandle) || this.#orphans.has(peer as OrphanLink)
  }

  /** Every worker that should run routes by this version. */
  serves(version: number | undefined): boolean {
    return version !== undefined && this.#workers.size >= this.size && this.workers.every((worker) => worker.viewVersion === version)
  }

  adopt(orphan: OrphanLink): void {
    this.#orphans.add(orphan)
  }

  orphanEnded(orphan: OrphanLink): void {
    if (this.#orphans.delete(orphan)) this.#left(orphan)
  }

  tell(message: PrimaryToWorker): void {
    for (const peer of this.everyone) peer.send(message)
  }

  watch(watcher: Watcher): Disposable {
    this.#watchers.add(watcher)
    return { [Symbol.dispose]: () => this.#watchers.delete(watcher) }
  }

  /** Starts those that are missing; resolves when all take orders, or after a time with those that do. */
  async ensure(): Promise<void> {
    for (let missing = this.size - this.#workers.size; missing > 0; missing--) this.#start()
    await this.until(
      () => this.#workers.size > 0 && this.workers.every((worker) => worker.ready),
      workerAnswerMs,
      () => undefined,
    )
  }

  /** Resolves when all route by the view. A worker that does not listen any more is a broken one: its successor begins with the new view. */
  async route(view: RoutingView, unhealthy: readonly string[]): Promise<void> {
    const told = this.everyone.filter((peer) => peer.ready)
    for (const peer of told) peer.send({ type: 'view', view, unhealthy })
    const late = (): Peer[] => told.filter((peer) => peer.viewVersion !== view.version && this.has(peer))
    await this.until(
      () => late().length === 0,
      workerAnswerMs,
      () => {
        for (const peer of late()) peer.giveUp()
      },
    )
  }

  /** Resolves when `condition` holds; it is looked at after every message of a worker and every exit. */
  until(condition: () => boolean, timeoutMs: number, onTimeout: () => void): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        watching[Symbol.dispose]()
        resolve()
      }
      const watching = this.watch(() => {
        if (condition()) finish()
      })
      const timer = setTimeout(() => {
        onTimeout()
        finish()
      }, timeoutMs)
    })
  }

  /** What an orphan tells comes over its own channel. */
  hear(peer: Peer, message: WorkerToPrimary, handle: unknown): void {
    if (message.type === 'viewApplied') peer.viewVersion = message.version
    if (message.type === 'ready' && peer instanceof WorkerHandle) {
      peer.ready = true
      this.#options.onReady(peer)
    } else this.#options.onMessage(peer, message)
    for (const watcher of [...this.#watchers]) watcher(peer, message, handle)
  }

  /** Nobody is replaced from now on. Resolves when all have ended; those that have not are killed a little after the deadline. */
  async end(deadlineMs: number): Promise<void> {
    this.#stopping = true
    await this.until(
      () => this.everyone.length === 0,
      deadlineMs + 2_000,
      () => {
        for (const peer of this.everyone) peer.kill()
      },
    )
  }

  #start(): void {
    try {
      this.#fork()
    } catch (error) {
      process.stderr.write(`starting a proxy worker failed: ${messageOf(error)}\n`)
      this.#deaths++
      this.#replace()
    }
  }

  #fork(): void {
    const used = new Set(this.workers.map(({ index }) => index))
    let index = 0
    while (used.has(index)) index++
    const startedAt = systemClock.now()
    const worker = new WorkerHandle({
      index,
      // One worker opens what we inherited; a second copy of a descriptor would outlive the listener.
      inherited: this.workers.some((each) => each.inherits) ? [] : this.#options.inherited(),
      logDescriptor: this.#options.logDescriptor,
      onMessage: (from, message, handle) => {
        this.hear(from, message, handle)
      },
      onExit: (exited, code, signal) => {
        if (!this.#workers.delete(exited)) return
        this.#left(exited)
        if (this.#stopping) return
        this.#options.onExit(exited.pid, code ?? undefined, signal ?? undefined)
        this.#deaths = systemClock.now() - startedAt > settledMs ? 0 : this.#deaths + 1
        this.#replace()
      },
    })
    this.#workers.add(worker)
    worker.send(this.#options.welcome(index))
  }

  #left(peer: Peer): void {
    this.#options.onLeft(peer)
    for (const watcher of [...this.#watchers]) watcher(peer, undefined, undefined)
  }

  /** Starts another worker, the later the more of them have died soon. */
  #replace(): void {
    const waitMs = Math.min(respawnMsMax, Math.max(0, this.#deaths - 1) * respawnStepMs)
    setTimeout(() => {
      if (!this.#stopping && this.#workers.size < this.size) this.#start()
    }, waitMs)
  }
}
