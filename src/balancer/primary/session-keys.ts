/**
 * The keys of session cookies, made by the primary and given to every worker: a session that was begun at one worker counts at any other, and after
 * a restart of everything. A new key is made once a week; the one before is good for a week more, and whoever comes in that time gets his cookie anew.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'

const keyBytes = 32
const lifeMs = 7 * 24 * 60 * 60 * 1_000

/** Outside of `run`, which is empty when nothing runs. */
const keysFile = (directory: string): string => join(directory, 'session-keys')

export class SessionKeys {
  readonly #directory: string
  /** The present one first. */
  #keys: Buffer
  #madeAt: number
  #saved: Promise<void> = Promise.resolve()

  /** Takes up the keys of the proxy before us. */
  constructor(directory: string, now: number) {
    this.#directory = directory
    const kept = read(keysFile(directory))
    this.#keys = kept?.keys ?? randomBytes(keyBytes)
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
    const age = now - this.#madeAt
    if (age < lifeMs) return false
    // Nobody was here for so long that the old one would be out of use.
    const before = age < 2 * lifeMs ? [this.#keys.subarray(0, keyBytes)] : []
    this.#keys = Buffer.concat([randomBytes(keyBytes), ...before])
    this.#madeAt = now
    this.#saved = this.#save()
    return true
  }

  async #save(): Promise<void> {
    try {
      await writeFileAtomic(keysFile(this.#directory), this.#keys, 0o600)
    } catch (error) {
      // Only a proxy that starts anew would miss them: its clients begin new sessions.
      process.stderr.write(`saving the keys of session cookies failed: ${messageOf(error)}\n`)
    }
  }
}

function read(file: string): { readonly keys: Buffer; readonly madeAt: number } | undefined {
  try {
    const keys = readFileSync(file)
    return keys.length === keyBytes || keys.length === 2 * keyBytes ? { keys, madeAt: statSync(file).mtimeMs } : undefined
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') process.stderr.write(`reading the keys of session cookies failed: ${messageOf(error)}\n`)
    return undefined
  }
}
