/**
 * Lines into a file that all workers append to, a file a day, off the hot path: lines are copied into one of two buffers, and while
 * one is being written the other is filled. When both are full, lines are dropped and counted: a disk that is slow or full costs lines, never
 * requests. Whole lines go out in one `O_APPEND` write, so those of several workers do not mix.
 *
 *   filling ──full, or flush──▶ writing ──▶ free
 */
import { open, readdir, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../../../kernel/errors.ts'
import { makeDirectory } from '../../../kernel/files.ts'

const bufferBytes = 256 * 1024
/** A buffer this full is written without waiting for the next flush. */
const flushBytes = 64 * 1024
/** UTF-16 units become at most so many bytes. */
const unitBytesMax = 3
/** As the program's own log: a day's file is cut before it grows much beyond this, and so many files are kept. */
const fileBytesMax = 64 * 1024 * 1024
const filesKept = 14
const filesPerDayMax = 10_000

export interface LineFileOptions {
  readonly directory: string
  /** `access`: the files are `access-YYYY-MM-DD.log`. */
  readonly name: string
  readonly wallTime: () => number
  /** A run of failures has begun. */
  readonly onFailure: (message: string) => void
  /** @default 64 MiB */
  readonly fileBytesMax?: number
}

const twoDigits = (n: number): string => String(n).padStart(2, '0')

const dayOf = (wallTime: number): string => {
  const date = new Date(wallTime)
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`
}

export class LineFile {
  readonly #options: LineFileOptions
  #filling: Buffer = Buffer.allocUnsafeSlow(bufferBytes)
  #spare: Buffer | undefined = Buffer.allocUnsafeSlow(bufferBytes)
  #at = 0
  #lines = 0
  #file: FileHandle | undefined
  #day = ''
  #index = 1
  #failing = false
  #writing: Promise<void> = Promise.resolve()
  /** Since the last `takeCounts`. */
  #written = 0
  #dropped = 0

  constructor(options: LineFileOptions) {
    this.#options = options
  }

  /** Takes a line with its end, or drops it. */
  add(line: string): void {
    if (this.#at + line.length * unitBytesMax > bufferBytes) {
      this.flush()
      if (this.#at + line.length * unitBytesMax > bufferBytes) {
        this.#dropped++
        return
      }
    }
    this.#at += this.#filling.write(line, this.#at)
    this.#lines++
    if (this.#at >= flushBytes) this.flush()
  }

  /** Begins to write what there is, unless a write is under way. */
  flush(): void {
    const next = this.#spare
    if (this.#at === 0 || next === undefined) return
    const full = this.#filling
    const { length, lines } = { length: this.#at, lines: this.#lines }
    this.#spare = undefined
    this.#filling = next
    this.#at = 0
    this.#lines = 0
    this.#writing = this.#write(full, length, lines)
  }

  takeCounts(): { readonly written: number; readonly dropped: number } {
    const counts = { written: this.#written, dropped: this.#dropped }
    this.#written = 0
    this.#dropped = 0
    return counts
  }

  /** Resolves when all that was taken is in the file, or lost. */
  async close(): Promise<void> {
    await this.#writing
    this.flush()
    await this.#writing
    await this.#closeFile()
  }

  async #write(buffer: Buffer, length: number, lines: number): Promise<void> {
    try {
      const file = await this.#current()
      for (let done = 0; done < length;) done += (await file.write(buffer, done, length - done)).bytesWritten
      this.#written += lines
      this.#failing = false
      if ((await file.stat()).size >= this.#bytesMax) {
        this.#index++
        await this.#closeFile()
      }
    } catch (error) {
      this.#dropped += lines
      if (!this.#failing) this.#options.onFailure(messageOf(error))
      this.#failing = true
      // It may be open again by the next time: a directory that was taken away, a disk that was full.
      await this.#closeFile()
    }
    this.#spare = buffer
  }

  get #bytesMax(): number {
    return this.#options.fileBytesMax ?? fileBytesMax
  }

  async #current(): Promise<FileHandle> {
    const day = dayOf(this.#options.wallTime())
    if (day !== this.#day) {
      await this.#closeFile()
      this.#day = day
      this.#index = 1
    }
    while (this.#file === undefined) {
      const file = await this.#open()
      const { size } = await file.stat()
      // Other workers may have filled it.
      if (size >= this.#bytesMax && this.#index < filesPerDayMax) {
        await file.close()
        this.#index++
        continue
      }
      this.#file = file
      if (size === 0) await this.#removeOld()
    }
    return this.#file
  }

  #open(): Promise<FileHandle> {
    const { directory, name } = this.#options
    makeDirectory(directory, 0o750)
    return open(join(directory, `${name}-${this.#day}${this.#index > 1 ? `.${this.#index}` : ''}.log`), 'a', 0o640)
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => undefined)
  }

  async #removeOld(): Promise<void> {
    const { directory, name } = this.#options
    const pattern = new RegExp(`^${name}-(\\d{4}-\\d\\d-\\d\\d)(?:\\.(\\d+))?\\.log$`)
    const files = (await readdir(directory)).flatMap((file) => {
      const [, day, index] = pattern.exec(file) ?? []
      return day === undefined ? [] : [{ file, day, index: Number(index ?? 1) }]
    })
    files.sort((a, b) => (a.day < b.day ? 1 : a.day > b.day ? -1 : b.index - a.index))
    // Another worker may remove the same ones.
    for (const { file } of files.slice(filesKept)) await unlink(join(directory, file)).catch(() => undefined)
  }
}
