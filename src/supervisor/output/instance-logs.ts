/**
 * The output of all instances, for reading back and for following. One look at every live file a few times a second
 * does all there is to do: it notes when the file grew, hands new lines to whoever follows, and cuts what is too
 * large. Nothing here is in the way of the writers.
 */
import { statfsSync } from 'node:fs'

import { after, minutes, ms, seconds, type Clock, type Duration, type Instant } from '../../kernel/time.ts'
import { logStreams, readRange, statIfThere, type LogFiles, type LogLimits, type LogStream } from './log-files.ts'
import { decodeLine, lineBytesMax, linesFromEnd } from './read-lines.ts'
import { appendMark, readMarks } from './time-index.ts'
import type { LogLine, LogQuery } from './types.ts'

export interface InstanceLogsDeps {
  readonly clock: Clock
  readonly files: LogFiles
  readonly limits: LogLimits
  /** The folder whose disk is watched. */
  readonly directory: string
  readonly onProblem: (error: unknown) => void
}

const lookInterval: Duration = ms(200)
const pruneInterval: Duration = minutes(10)
const diskInterval: Duration = seconds(30)
/** Less free space than both makes the disk nearly full. */
const diskFloor = { bytes: 500 * 1024 * 1024, share: 0.02 }
const linesDefault = 200
const linesMax = 10_000
/** Lines looked at in one file for one query, found or not. */
const scannedMax = 500_000
/** Of what a file grew by between two looks, a follower gets the last part only. */
const followBytesMax = 1024 * 1024
/** Looks after which a line without an end is handed on as it is. */
const carryLooks = 5

/** One file that a live instance writes. */
interface Tracked {
  readonly service: string
  readonly id: string
  readonly stream: LogStream
  readonly path: string
  readonly timesPath: string
  /** What has been seen of it. */
  size: number
  cutting: boolean
  /** The beginning of a line whose end has not been written. */
  carry: Buffer
  carriedFor: number
}

interface Follower {
  readonly service: string
  readonly query: LogQuery
  readonly onLine: (line: LogLine) => void
}

export class InstanceLogs {
  readonly #deps: InstanceLogsDeps
  readonly #live = new Map<string, readonly Tracked[]>()
  readonly #followers = new Set<Follower>()
  #timer: Disposable | undefined
  #diskIsLow = false
  #diskAt: Instant | undefined
  #pruneAt: Instant | undefined

  constructor(deps: InstanceLogsDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#schedule()
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    for (const tracked of this.#live.values()) for (const file of tracked) this.#look(file)
    this.#live.clear()
    this.#followers.clear()
  }

  /** A live instance writes its files from now on. */
  track(service: string, id: string): void {
    const files = logStreams.map((stream): Tracked => {
      const path = this.#deps.files.path(service, id, stream)
      const timesPath = this.#deps.files.timesPath(service, id, stream)
      const size = readMarks(timesPath).at(-1)?.offset ?? 0
      return { service, id, stream, path, timesPath, size, cutting: false, carry: Buffer.alloc(0), carriedFor: 0 }
    })
    this.#live.set(id, files)
  }

  /** It has ended: one last look. */
  untrack(id: string): void {
    for (const file of this.#live.get(id) ?? []) {
      this.#look(file)
      this.#flushCarry(file, this.#deps.clock.wallTime())
    }
    this.#live.delete(id)
  }

  /** The last lines of a service, oldest first. */
  read(service: string, query: LogQuery): readonly LogLine[] {
    for (const tracked of this.#live.values()) for (const file of tracked) if (file.service === service) this.#look(file)
    const limit = Math.min(query.limit ?? linesDefault, linesMax)
    const lines: LogLine[] = []
    for (const { id, writtenAt } of this.#deps.files.instances(service)) {
      if (query.instance !== undefined && query.instance !== id) continue
      if (query.since !== undefined && writtenAt < query.since) continue
      for (const stream of logStreams) lines.push(...this.#readStream(service, id, stream, query, limit))
    }
    return lines.sort((a, b) => a.time - b.time).slice(-limit)
  }

  #readStream(service: string, id: string, stream: LogStream, query: LogQuery, limit: number): LogLine[] {
    const { files, limits } = this.#deps
    const lines: LogLine[] = []
    let scanned = 0
    for (let piece = 0; piece <= limits.pieces; piece++) {
      for (const { time, text } of linesFromEnd(files.path(service, id, stream, piece), files.timesPath(service, id, stream, piece))) {
        if (lines.length >= limit || ++scanned > scannedMax || (query.since !== undefined && time < query.since)) return lines.reverse()
        if (query.grep === undefined || text.includes(query.grep)) lines.push({ time, service, instance: id, stream, text })
      }
    }
    return lines.reverse()
  }

  /** Calls back with each line that is written from now on. */
  follow(service: string, query: LogQuery, onLine: (line: LogLine) => void): Disposable {
    const follower: Follower = { service, query, onLine }
    for (const tracked of this.#live.values()) for (const file of tracked) if (file.service === service) this.#look(file)
    this.#followers.add(follower)
    return { [Symbol.dispose]: () => this.#followers.delete(follower) }
  }

  #schedule(): void {
    const { clock } = this.#deps
    this.#timer = clock.schedule(after(clock.now(), lookInterval), () => {
      this.#tend(clock.now())
      if (this.#timer) this.#schedule()
    })
  }

  #tend(now: Instant): void {
    for (const tracked of this.#live.values()) for (const file of tracked) this.#look(file)
    if (this.#diskAt === undefined || now >= this.#diskAt) {
      this.#diskAt = after(now, diskInterval)
      this.#diskIsLow = isLow(this.#deps.directory)
    }
    if (this.#pruneAt === undefined || now >= this.#pruneAt) {
      this.#pruneAt = after(now, pruneInterval)
      for (const service of this.#deps.files.services()) this.#prune(service)
    }
  }

  #prune(service: string): void {
    try {
      this.#deps.files.prune(service, (id) => this.#live.has(id), this.#deps.clock.wallTime())
    } catch (error) {
      this.#deps.onProblem(error)
    }
  }

  #look(file: Tracked): void {
    if (file.cutting) return
    try {
      this.#takeIn(file)
    } catch (error) {
      this.#deps.onProblem(error)
    }
  }

  #takeIn(file: Tracked): void {
    const { limits } = this.#deps
    const stat = statIfThere(file.path)
    if (!stat) return
    if (stat.size < file.size) file.size = 0
    if (stat.size === file.size) {
      if (file.carry.length > 0 && ++file.carriedFor >= carryLooks) this.#flushCarry(file, stat.mtimeMs)
      return
    }
    const from = file.size
    file.size = stat.size
    this.#mark(file, stat.mtimeMs)
    this.#feed(file, from, stat.mtimeMs)
    if (stat.size > (this.#diskIsLow ? limits.lowDiskFileBytes : limits.fileBytes)) void this.#cut(file)
  }

  #mark({ timesPath, size }: Tracked, time: number): void {
    try {
      appendMark(timesPath, { offset: size, time })
    } catch (error) {
      this.#deps.onProblem(error)
    }
  }

  async #cut(file: Tracked): Promise<void> {
    file.cutting = true
    try {
      const { service, id, stream } = file
      await this.#deps.files.cut(service, id, stream, !this.#diskIsLow, () => {
        const from = file.size
        file.size = statIfThere(file.path)?.size ?? from
        this.#feed(file, from, this.#deps.clock.wallTime())
      })
      file.size = 0
    } catch (error) {
      this.#deps.onProblem(error)
    } finally {
      file.cutting = false
    }
  }

  /** Hands what is new to those who follow. */
  #feed(file: Tracked, from: number, time: number): void {
    if (!this.#isFollowed(file)) {
      file.carry = Buffer.alloc(0)
      return
    }
    const skipped = Math.max(0, file.size - from - followBytesMax)
    if (skipped > 0) {
      file.carry = Buffer.alloc(0)
      this.#tell(file, time, `… ${skipped} bytes were written too fast to follow …`)
    }
    const bytes = Buffer.concat([file.carry, readRange(file.path, from + skipped, file.size - from - skipped)])
    let start = 0
    for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, start)) {
      this.#tell(file, time, decodeLine(bytes.subarray(start, newline)))
      start = newline + 1
    }
    file.carry = bytes.subarray(start)
    file.carriedFor = 0
    if (file.carry.length > lineBytesMax) this.#flushCarry(file, time)
  }

  #flushCarry(file: Tracked, time: number): void {
    if (file.carry.length > 0) this.#tell(file, time, decodeLine(file.carry))
    file.carry = Buffer.alloc(0)
    file.carriedFor = 0
  }

  #isFollowed({ service, id }: Tracked): boolean {
    for (const { service: followed, query } of this.#followers) {
      if (followed === service && (query.instance === undefined || query.instance === id)) return true
    }
    return false
  }

  #tell({ service, id, stream }: Tracked, time: number, text: string): void {
    const line: LogLine = { time, service, instance: id, stream, text }
    for (const follower of this.#followers) {
      const { query } = follower
      if (follower.service !== service || (query.instance !== undefined && query.instance !== id)) continue
      if (query.grep !== undefined && !text.includes(query.grep)) continue
      try {
        follower.onLine(line)
      } catch (error) {
        this.#followers.delete(follower)
        this.#deps.onProblem(error)
      }
    }
  }
}

function isLow(directory: string): boolean {
  try {
    const { bavail, blocks, bsize } = statfsSync(directory)
    return bavail * bsize < diskFloor.bytes && bavail < blocks * diskFloor.share
  } catch {
    // The folder is made with the first instance; until then nothing is written.
    return false
  }
}
