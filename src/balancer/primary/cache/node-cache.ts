/**
 * The store of the node: keeps responses for all workers, says who asks the origin, and makes invalidations known. It speaks with the workers over a socket
 * of its own, so that bodies hold up nothing else. Workers go on without it when it does not answer, and begin anew when it is back.
 *
 *   closed ──a service caches──▶ open ──no service caches, or the proxy ends──▶ closed
 */
import { rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { messageOf } from '../../../kernel/errors.ts'
import { systemClock } from '../../../kernel/system.ts'
import { Acknowledgements } from '../../core/cache/acknowledgements.ts'
import type { CacheStoreStatus } from '../../core/cache/counts.ts'
import type { Fields } from '../../../cache/core/http/fields.ts'
import type { WorkerFrame } from '../../core/cache/frames.ts'
import { NodeStore, type NodeEntry } from '../../core/cache/node-store.ts'
import { invalidationOf, type Invalidation, type PurgeOrder } from '../../core/cache/purge.ts'
import { requestFields } from '../../core/cache/request-fields.ts'
import type { CacheRedisView, CacheStoreView } from '../../core/cache-view.ts'
import { FarTier, type FarTierHost } from './far-tier.ts'
import { WorkerConnection } from './worker-connection.ts'

/** Workers trust what they keep as long as they hear from us (`worker/cache/node-link.ts`). */
export const beatMs = 100
/** A worker that has not acknowledged an invalidation within this is cut off. */
const ackMs = 100
/** Nor is the second tier waited for longer: what could not be said there is said later. */
const farMs = 100
/** How often it is looked who is late. */
const lookMs = 20
/** Without a view nothing is kept; this is what there is room for until then. */
const maxBytesDefault = 256 * 1024 * 1024

/** Without what the workers count. */
export type NodeCacheStatus = Omit<CacheStoreStatus, 'workerEntries' | 'workerBytes' | 'unanswered'>

export class NodeCache {
  readonly #path: string
  readonly #store: NodeStore
  readonly #workers = new Set<WorkerConnection>()
  readonly #acks = new Acknowledgements<WorkerConnection>()
  #server: Server | undefined
  #beating: NodeJS.Timeout | undefined
  #looking: NodeJS.Timeout | undefined
  #cutOff = 0
  #far: { readonly settings: string; readonly tier: FarTier } | undefined
  readonly #farHost: FarTierHost = {
    invalidated: (invalidation) => {
      const at = this.#tick()
      this.#store.invalidate(invalidation, at)
      this.#spread(invalidation, at, () => undefined)
    },
    changed: (key) => {
      this.#store.drop(key)
      this.#renewed(key)
    },
    wallTime: () => systemClock.wallTime(),
  }

  constructor(path: string) {
    this.#path = path
    this.#store = new NodeStore({ maxBytes: maxBytesDefault, look: (key, request, mark) => this.#lookFar(key, request, mark) })
  }

  /** undefined: nobody caches, and there is nothing to be kept. */
  get status(): NodeCacheStatus | undefined {
    if (this.#server === undefined) return undefined
    const { size, bytes, maxBytes, evicted } = this.#store.entries
    return { entries: size, bytes, maxBytes, evicted, cutOff: this.#cutOff, redis: this.#far?.tier.status }
  }

  // --- beginning and ending -----------------------------------------------------------------------------------------

  /** Before the workers know of the view. */
  async apply(view: CacheStoreView | undefined): Promise<void> {
    if (view === undefined) {
      this.close()
      return
    }
    this.#store.resize(view.maxBytes)
    this.#applyFar(view.redis)
    if (this.#server === undefined) await this.#open()
  }

  async #open(): Promise<void> {
    rmSync(this.#path, { force: true })
    const server = createServer((socket) => {
      this.#workers.add(
        new WorkerConnection(
          socket,
          (from, frame, head, body) => {
            this.#hear(from, frame, head, body)
          },
          (from) => {
            this.#left(from)
          },
        ),
      )
    })
    this.#server = server
    // What was kept before us may be anything.
    this.#tick()
    await new Promise<void>((resolve) => {
      server.once('error', (error) => {
        process.stderr.write(`the cache of the node could not be opened, and nothing is kept: ${messageOf(error)}\n`)
        resolve()
      })
      const mask = process.umask(0o177)
      server.listen(this.#path, resolve)
      process.umask(mask)
    })
    this.#beating = setInterval(() => {
      this.#beat()
    }, beatMs)
  }

  close(): void {
    this.#applyFar(undefined)
    if (this.#server === undefined) return
    clearInterval(this.#beating)
    clearInterval(this.#looking)
    this.#looking = undefined
    this.#server.close()
    this.#server = undefined
    for (const worker of this.#workers) worker.cutOff()
    rmSync(this.#path, { force: true })
    this.#store.entries.clear()
  }

  #beat(): void {
    this.#store.sweep(systemClock.now())
    for (const worker of this.#workers) worker.tell({ t: 'beat', mark: this.#store.mark })
  }

  /** Logical time: it grows, also from one primary to the next. */
  #tick(): number {
    const at = Math.max(this.#store.mark + 1, Math.floor(systemClock.wallTime() * 1_000))
    this.#store.advance(at)
    return at
  }

  // --- the second tier ----------------------------------------------------------------------------------------------

  #applyFar(view: CacheRedisView | undefined): void {
    const settings = view && JSON.stringify(view)
    if (settings === this.#far?.settings) return
    this.#far?.tier.close()
    this.#far = view && settings !== undefined ? { settings, tier: new FarTier(view, this.#farHost) } : undefined
  }

  #lookFar(key: string, request: Fields, mark: number): boolean {
    const { tier } = this.#far ?? {}
    if (tier?.status.up !== true) return false
    void tier.find(key, request, mark).then(({ entry, farMark }) => {
      this.#store.looked(key, entry, farMark, systemClock.now())
    })
    return true
  }

  // --- workers ------------------------------------------------------------------------------------------------------

  #hear(from: WorkerConnection, frame: WorkerFrame, head: Buffer, body: Buffer): void {
    const now = systemClock.now()
    const store = this.#store
    switch (frame.t) {
      case 'hello':
        from.pid = frame.pid
        from.joined = true
        store.advance(frame.mark)
        from.tell({ t: 'welcome', mark: this.#tick() })
        return
      case 'get':
        store.get(from, frame, requestFields(head, frame.from), now)
        return
      case 'leave':
        store.leave(from, frame.id)
        return
      case 'put':
        this.#put(from, { ...frame, head, body }, now)
        return
      case 'over':
        store.over(from, frame.key, frame.pass, now)
        return
      case 'drop':
        store.drop(frame.key)
        return
      case 'invalidate':
        this.#invalidate(frame.invalidation, () => {
          from.tell({ t: 'done', id: frame.id })
        })
        return
      case 'ack':
        this.#acks.heard(from, frame.at)
        return
    }
  }

  #put(from: WorkerConnection, entry: NodeEntry, now: number): void {
    const put = this.#store.put(from, entry, now)
    if (put === false) return
    if (put.farMark !== undefined) this.#far?.tier.give(entry, put.farMark)
    if (!put.renewed) return
    this.#renewed(entry.key, from)
  }

  #renewed(key: string, from?: WorkerConnection): void {
    for (const worker of this.#workers) if (worker !== from) worker.tell({ t: 'renewed', key })
  }

  #left(worker: WorkerConnection): void {
    this.#workers.delete(worker)
    this.#store.left(worker, systemClock.now())
    this.#acks.left(worker)
  }

  // --- invalidations ------------------------------------------------------------------------------------------------

  /** Calls back when no worker uses what it takes: each has acknowledged it, or is cut off. */
  #invalidate(invalidation: Invalidation, done: () => void): void {
    const at = this.#tick()
    this.#store.invalidate(invalidation, at)
    this.#spread(invalidation, at, this.#alsoFar(invalidation, done))
  }

  /** What is called when the workers know: `done` is called when it is said in the second tier, too, or that is late. */
  #alsoFar(invalidation: Invalidation, done: () => void): () => void {
    if (this.#far === undefined) return done
    let left = 2
    const one = (): void => {
      if (--left === 0) done()
    }
    let timer: NodeJS.Timeout | undefined = setTimeout(() => {
      timer = undefined
      one()
    }, farMs)
    void this.#far.tier.invalidate(invalidation).then(() => {
      if (timer === undefined) return
      clearTimeout(timer)
      one()
    })
    return one
  }

  #spread(invalidation: Invalidation, at: number, done: () => void): void {
    // One that has not said hello yet is told the time when it does, and keeps nothing from before.
    const workers = [...this.#workers].filter(({ joined }) => joined)
    for (const worker of workers) worker.tell({ t: 'invalidated', at, invalidation })
    this.#acks.wait(at, workers, systemClock.now() + ackMs, done)
    if (this.#acks.size > 0)
      this.#looking ??= setInterval(() => {
        this.#look()
      }, lookMs)
  }

  #look(): void {
    for (const worker of this.#acks.late(systemClock.now())) {
      this.#cutOff++
      worker.cutOff()
      // Its close comes later: nobody waits for that.
      this.#acks.left(worker)
    }
    if (this.#acks.size > 0) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  /** Calls back with how many responses it took. */
  purge(order: PurgeOrder, answer: (entries: number) => void): void {
    const invalidation = invalidationOf(order)
    const at = this.#tick()
    const entries = this.#store.purge(invalidation, at)
    const done = (): void => {
      answer(entries)
    }
    this.#spread(invalidation, at, this.#alsoFar(invalidation, done))
  }
}
