/**
 * Watches read the history that commits leave, each from its own position: live changes and changes of
 * the past take the same way, so that none can be missed or told twice where the two meet. Not taken:
 * handing the fresh changes round in memory, which needs a second way for everybody who starts late.
 */
import { HoldfastError } from '../kernel/errors.ts'
import type { Backend, StoredChange } from './backend.ts'
import { fromJson } from './core/json.ts'
import type { Change } from './port.ts'

/** Changes read at once; keeps a watch that starts far in the past from filling the memory. */
const pageSize = 256

export interface WatchOptions {
  readonly prefix: string
  readonly onChange: (change: Change) => void
  readonly onError: ((error: Error) => void) | undefined
}

interface Watch extends WatchOptions {
  /** All changes up to here have been told; `id` only narrows the search. */
  revision: number
  id: number
  reading: boolean
}

export class Watches {
  readonly #backend: Backend
  readonly #watches = new Set<Watch>()

  constructor(backend: Backend) {
    this.#backend = backend
  }

  add(options: WatchOptions, fromRevision: number | undefined): Disposable {
    const head = this.#backend.head()
    const watch: Watch = { ...options, revision: fromRevision ?? head.revision, id: fromRevision === undefined ? head.id : 0, reading: false }
    this.#watches.add(watch)
    if (fromRevision !== undefined) queueMicrotask(() => this.#read(watch))
    return { [Symbol.dispose]: () => this.#watches.delete(watch) }
  }

  /** Tells every watch what is new. Called after each commit, before the next can shorten the history. */
  readAll(): void {
    for (const watch of this.#watches) this.#read(watch)
  }

  clear(): void {
    this.#watches.clear()
  }

  #read(watch: Watch): void {
    if (watch.reading) return
    watch.reading = true
    try {
      while (this.#watches.has(watch) && this.#readPage(watch));
    } catch (error) {
      // The changes are safe in the history; the watch stays where it is and reads on after the next commit.
      this.#report(watch, error)
    } finally {
      watch.reading = false
    }
  }

  /** True: there may be more. */
  #readPage(watch: Watch): boolean {
    const head = this.#backend.head()
    if (watch.revision < head.compacted) {
      this.#watches.delete(watch)
      this.#report(watch, compacted(watch, head.compacted))
      return false
    }
    const page = this.#backend.changes(watch, watch.prefix, pageSize)
    for (const change of page) {
      if (!this.#watches.has(watch)) return false
      watch.id = change.id
      this.#tell(watch, change)
    }
    if (page.length === pageSize) return true
    watch.revision = Math.max(watch.revision, head.revision)
    watch.id = Math.max(watch.id, head.id)
    return false
  }

  #tell(watch: Watch, change: StoredChange): void {
    try {
      watch.onChange(toChange(change))
    } catch (error) {
      this.#report(watch, error)
    }
  }

  #report(watch: Watch, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    // Nobody asked to hear of it, so it is as any error in a callback: the process's own handler gets it.
    const raise = (cause: unknown): void => {
      queueMicrotask(() => {
        throw cause
      })
    }
    if (!watch.onError) {
      raise(error)
      return
    }
    try {
      watch.onError(error)
    } catch (second) {
      raise(second)
    }
  }
}

function toChange({ key, json, revision, createRevision }: StoredChange): Change {
  return Object.freeze(
    json === undefined
      ? { type: 'delete', key, modRevision: revision }
      : { type: 'put', entry: Object.freeze({ key, value: fromJson(json), createRevision, modRevision: revision }) },
  )
}

function compacted(watch: Watch, oldest: number): HoldfastError {
  return new HoldfastError('compacted', `watching from revision ${watch.revision} is not possible: changes up to ${oldest} are no longer kept`, {
    hint: 'Watch from now on, then list the keys.',
    details: { fromRevision: watch.revision, compacted: oldest },
  })
}
