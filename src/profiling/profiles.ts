/**
 * Orders recordings and keeps them: `data/profiles/ID.cpuprofile` and, beside it, `ID.json` that says what it is.
 *
 *   ordered ──the instance has begun──▶ running ──all of it has come──▶ done
 *      └──refused, silent for 10 s──▶ failed ◀──cut, too large, too late──┘
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import { newId } from '../kernel/system.ts'
import { after, ms, type Clock } from '../kernel/time.ts'
import { flameOf, type CpuProfile, type Flame } from './core/flame.ts'
import { superfluous } from './core/keeping.ts'
import { Receiver } from './receiver.ts'
import { profileExtensions, profileMsMax, type ProfileInfo, type ProfileKind, type ProfileOrder } from './types.ts'

/** An instance that has not answered by then has no reporter that could. */
const beginMs = 10_000
/** How much longer than its time a recording may take to come: a heap of gigabytes is written in minutes. */
const arriveMs = 180_000
/** A profile that is larger is not made a picture of. */
const flameBytesMax = 256 * 1024 ** 2
/** Recordings under way at the same time. */
const runningMax = 8

export interface ProfilesDeps {
  readonly clock: Clock
  /** Of the profiles. */
  readonly directory: string
  readonly socket: string
  /** Sends a line to an instance; rejects when it reports nothing. */
  readonly instruct: (instance: string, line: string) => Promise<void>
  /** A recording has ended, well or badly. */
  readonly onEnded: (profile: ProfileInfo) => void
  readonly onError: (error: unknown) => void
}

export interface ProfileRequest {
  readonly service: string
  readonly instance: string
  readonly kind: ProfileKind
  readonly durationMs: number
  readonly actor: string
  /** Of the instance, to say how it can be looked at from outside. */
  readonly processId?: number | undefined
}

export class Profiles {
  readonly #deps: ProfilesDeps
  readonly #receiver: Receiver
  readonly #profiles = new Map<string, ProfileInfo>()
  readonly #timers = new Map<string, Disposable>()

  constructor(deps: ProfilesDeps) {
    this.#deps = deps
    this.#receiver = new Receiver(deps.socket)
  }

  async start(): Promise<void> {
    const { directory } = this.#deps
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const names = await readdir(directory)
    for (const name of names) {
      const info = name.endsWith('.json') ? await readInfo(join(directory, name)) : undefined
      // What was being recorded when the process before this one ended will not come any more.
      if (info) this.#profiles.set(info.id, info.state === 'running' ? { ...info, state: 'failed', error: 'holdfast was stopped meanwhile' } : info)
    }
    await this.#clean(names)
    await this.#prune()
    await this.#receiver.start()
  }

  /** What belongs to no recording that is whole: of one that was cut off, hundreds of megabytes may lie there that nobody counts. */
  async #clean(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const [id = '', extension = ''] = name.split('.')
      const info = this.#profiles.get(id)
      const belongs = extension === 'json' ? info !== undefined : info?.state === 'done' && name === basename(this.#fileOf(id, info.kind))
      if (!belongs) await rm(join(this.#deps.directory, name), { force: true })
    }
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    this.#receiver.stop()
  }

  /** Newest first. */
  list(): readonly ProfileInfo[] {
    return [...this.#profiles.values()].sort((a, b) => b.startedAt - a.startedAt)
  }

  /** Throws `unknown_profile`. */
  get(id: string): ProfileInfo {
    const info = this.#profiles.get(id)
    if (info) return info
    throw new HoldfastError('unknown_profile', `looked for profile ${id}, found no such profile`, { hint: 'see: GET /profiles' })
  }

  /** Where its recording is. Throws `unknown_profile`, `conflict` when there is none. */
  file(id: string): string {
    const { state, kind, error } = this.get(id)
    if (state === 'done') return this.#fileOf(id, kind)
    throw new HoldfastError(
      'conflict',
      `tried to read profile ${id}: it ${state === 'running' ? 'is being recorded' : `failed: ${error ?? 'unknown'}`}`,
    )
  }

  /** Throws `invalid_input` for what is no CPU profile. */
  async flame(id: string): Promise<Flame> {
    const { kind, bytes } = this.get(id)
    if (kind !== 'cpu')
      throw new HoldfastError('invalid_input', `tried to draw profile ${id}: it is a profile of kind ${kind}, and only those of kind cpu can be`)
    const file = this.file(id)
    if (bytes > flameBytesMax)
      throw new HoldfastError('invalid_input', `tried to draw profile ${id}: it is larger than ${flameBytesMax / 1024 ** 2} MiB`, {
        hint: 'download it and open it in Chrome',
      })
    return flameOf(JSON.parse(await readFile(file, 'utf8')) as CpuProfile)
  }

  async remove(id: string): Promise<void> {
    const { state } = this.get(id)
    if (state === 'running') throw new HoldfastError('conflict', `tried to remove profile ${id}: it is being recorded`)
    await this.#drop(id)
  }

  /** Resolves when the instance has begun. Rejects with `conflict` (it is being profiled already), `not_reporting`, `profile_failed`. */
  async take({ processId, ...request }: ProfileRequest): Promise<ProfileInfo> {
    const { clock } = this.#deps
    if (this.list().filter(({ state }) => state === 'running').length >= runningMax)
      throw new HoldfastError('conflict', `tried to profile ${request.instance}: ${runningMax} recordings are under way already`)
    const id = newId()
    const durationMs = request.kind === 'heap' ? 0 : Math.min(request.durationMs, profileMsMax)
    const info: ProfileInfo = {
      ...request,
      id,
      durationMs,
      pid: undefined,
      state: 'running',
      startedAt: clock.wallTime(),
      bytes: 0,
      error: undefined,
    }
    this.#profiles.set(id, info)
    try {
      await this.#order(info, processId)
      await this.#note(this.get(id))
      return this.get(id)
    } catch (error) {
      this.#profiles.delete(id)
      throw error
    }
  }

  #order({ id, instance, kind, durationMs }: ProfileInfo, processId: number | undefined): Promise<void> {
    const { instruct } = this.#deps
    const order: ProfileOrder = { profile: kind, id, durationMs, socket: this.#receiver.path }
    return new Promise((resolve, reject) => {
      const waiting = this.#receiver.expect(id, {
        file: this.#fileOf(id, kind),
        onBegun: (pid) => {
          this.#change(id, { pid })
          this.#timeOut(id, durationMs + arriveMs, () => {
            this.#end(id, { state: 'failed', error: `it had not come ${arriveMs / 1_000} s after its time` })
          })
          resolve()
        },
        onRefused: (reason) => {
          this.#clear(id)
          reject(new HoldfastError('conflict', `tried to profile ${instance}: ${reason}`))
        },
        onDone: (bytes) => {
          this.#end(id, { state: 'done', bytes })
        },
        onFailed: (error) => {
          this.#end(id, { state: 'failed', error: messageOf(error) })
        },
      })
      const fail = (error: Error): void => {
        waiting[Symbol.dispose]()
        this.#clear(id)
        reject(error)
      }
      this.#timeOut(id, beginMs, () => {
        const what = `it did not begin within ${beginMs / 1_000} s: its event loop is blocked, or its reporter is that of an older release`
        fail(new HoldfastError('profile_failed', `tried to profile ${instance}: ${what}`, { hint: fromOutside(processId) }))
      })
      instruct(instance, JSON.stringify(order)).catch(fail)
    })
  }

  #timeOut(id: string, waitMs: number, task: () => void): void {
    const { clock } = this.#deps
    this.#clear(id)
    this.#timers.set(id, clock.schedule(after(clock.now(), ms(waitMs)), task))
  }

  #clear(id: string): void {
    this.#timers.get(id)?.[Symbol.dispose]()
    this.#timers.delete(id)
  }

  #change(id: string, change: Partial<ProfileInfo>): void {
    const info = this.#profiles.get(id)
    if (info) this.#profiles.set(id, { ...info, ...change })
  }

  #end(id: string, change: Partial<ProfileInfo>): void {
    this.#clear(id)
    if (this.#profiles.get(id)?.state !== 'running') return
    this.#change(id, change)
    const info = this.get(id)
    this.#deps.onEnded(info)
    const rest = info.state === 'failed' ? rm(this.#fileOf(id, info.kind), { force: true }) : Promise.resolve()
    rest
      .then(() => this.#note(info))
      .then(() => this.#prune())
      .catch(this.#deps.onError)
  }

  async #note(info: ProfileInfo): Promise<void> {
    await writeFile(join(this.#deps.directory, `${info.id}.json`), JSON.stringify(info), { mode: 0o600 })
  }

  async #prune(): Promise<void> {
    for (const { id } of superfluous(this.list(), this.#deps.clock.wallTime())) await this.#drop(id)
  }

  async #drop(id: string): Promise<void> {
    const { kind } = this.get(id)
    this.#profiles.delete(id)
    await rm(this.#fileOf(id, kind), { force: true })
    await rm(join(this.#deps.directory, `${id}.json`), { force: true })
  }

  #fileOf(id: string, kind: ProfileKind): string {
    return join(this.#deps.directory, `${id}.${profileExtensions[kind]}`)
  }
}

/** What computes without an end does nothing that it is asked for; Node.js's inspector runs in a thread of its own. */
const fromOutside = (pid: number | undefined): string =>
  `where a blocked one hangs is seen from outside: node inspect -p ${pid ?? 'PID'}, then "pause" and "bt" (it opens the inspector on 127.0.0.1:9229)`

/** undefined: it cannot be read; then it is nobody's. */
async function readInfo(file: string): Promise<ProfileInfo | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProfileInfo
  } catch {
    return undefined
  }
}
