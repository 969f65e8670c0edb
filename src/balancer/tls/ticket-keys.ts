/**
 * The keys of session tickets, made by the primary and given to every worker: a session that was begun at one worker is taken up by any
 * other, and after a restart. They are replaced once a day, so that what a stolen key opens is bounded; a client whose ticket is older makes one
 * full handshake.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'

const keyBytes = 48
const lifeMs = 24 * 60 * 60 * 1_000

/** Outside of `run`, which is empty when nothing runs: sessions go on after a stop and a start. */
const ticketFile = (directory: string): string => join(directory, 'tls-tickets')

export class TicketKeys {
  readonly #directory: string
  #keys: Buffer
  #madeAt: number

  /** Takes up the keys of the proxy before us, when they are young enough. */
  constructor(directory: string, now: number) {
    this.#directory = directory
    const kept = read(ticketFile(directory))
    const isYoung = kept !== undefined && now - kept.madeAt < lifeMs
    this.#keys = isYoung ? kept.keys : randomBytes(keyBytes)
    this.#madeAt = isYoung ? kept.madeAt : now
    if (!isYoung) void this.#save()
  }

  get keys(): string {
    return this.#keys.toString('base64')
  }

  /** Makes new keys when it is time; true: the workers must be told. */
  rotate(now: number): boolean {
    if (now - this.#madeAt < lifeMs) return false
    this.#keys = randomBytes(keyBytes)
    this.#madeAt = now
    void this.#save()
    return true
  }

  async #save(): Promise<void> {
    try {
      await writeFileAtomic(ticketFile(this.#directory), this.#keys, 0o600)
    } catch (error) {
      // Only a proxy that starts anew would miss them, and its clients make full handshakes.
      process.stderr.write(`saving the keys of session tickets failed: ${messageOf(error)}\n`)
    }
  }
}

function read(file: string): { readonly keys: Buffer; readonly madeAt: number } | undefined {
  try {
    const keys = readFileSync(file)
    return keys.length === keyBytes ? { keys, madeAt: statSync(file).mtimeMs } : undefined
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') process.stderr.write(`reading the keys of session tickets failed: ${messageOf(error)}\n`)
    return undefined
  }
}
