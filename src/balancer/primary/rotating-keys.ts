/**
 * Keys that all workers share, made by the primary and given to every one of them: what was begun at one worker counts at any other, and after a restart of
 * everything. A new key is made when one has had its time, so that what a stolen one opens is bounded.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'

const dayMs = 24 * 60 * 60 * 1_000

export interface KeySpec {
  /** As messages name them. */
  readonly what: string
  /** In the data directory, outside of `run`, which is empty when nothing runs. */
  readonly file: string
  readonly bytes: number
  /** A new one is made after that. */
  readonly lifeMs: number
  /** The one before is good for one more life. */
  readonly keepsLast: boolean
}

/** Whoever comes with a cookie of the key before gets his cookie anew. */
export const cookieKeys: KeySpec = { what: 'session cookies', file: 'session-keys', bytes: 32, lifeMs: 7 * dayMs, keepsLast: true }
/** A client whose ticket is older makes one full handshake. */
export const ticketKeys: KeySpec = { what: 'session tickets', file: 'tls-tickets', bytes: 48, lifeMs: dayMs, keepsLast: false }

export class RotatingKeys {
  readonly #spec: KeySpec
  readonly #file: string
  /** The present one first. */
  #keys: Buffer
  #madeAt: number
  #saved: Promise<void> = Promise.resolve()

  /** Takes up the keys of the proxy before us, when they are young enough. */
  constructor(spec: KeySpec, directory: string, now: number) {
    this.#spec = spec
    this.#file = join(directory, spec.file)
    const kept = this.#read()
    this.#keys = kept?.keys ?? randomBytes(spec.bytes)
    this.#madeAt = kept?.madeAt ?? now
    if (kept === undefined) this.#saved = this.#save()
    else this.rotate(now)
  }

  /** One or two, joined. */
  get keys(): string {
    return this.#keys.toString('base64')
  }

  /** Resolves when the present keys would be found by a proxy that starts. */
  get saved(): Promise<void> {
    return this.#saved
  }

  /** Makes a new key when it is time; true: the workers must be told. */
  rotate(now: number): boolean {
    const { bytes, lifeMs, keepsLast } = this.#spec
    const age = now - this.#madeAt
    if (age < lifeMs) return false
    // Nobody was here for so long that the old one would be out of use.
    const before = keepsLast && age < 2 * lifeMs ? [this.#keys.subarray(0, bytes)] : []
    this.#keys = Buffer.concat([randomBytes(bytes), ...before])
    this.#madeAt = now
    this.#saved = this.#save()
    return true
  }

  async #save(): Promise<void> {
    try {
      await writeFileAtomic(this.#file, this.#keys, 0o600)
    } catch (error) {
      // Only a proxy that starts anew would miss them: its clients begin anew, too.
      process.stderr.write(`saving the keys of ${this.#spec.what} failed: ${messageOf(error)}\n`)
    }
  }

  #read(): { readonly keys: Buffer; readonly madeAt: number } | undefined {
    const { bytes, keepsLast, what } = this.#spec
    try {
      const keys = readFileSync(this.#file)
      const isWhole = keys.length === bytes || (keepsLast && keys.length === 2 * bytes)
      return isWhole ? { keys, madeAt: statSync(this.#file).mtimeMs } : undefined
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') process.stderr.write(`reading the keys of ${what} failed: ${messageOf(error)}\n`)
      return undefined
    }
  }
}
