/**
 * One-time login codes: what `up` prints as a link. A code works once, for a quarter of an hour, and only in the process that
 * made it; it is exchanged for a token, so that the link in a terminal's history is worth nothing.
 */
import { createHash, randomBytes } from 'node:crypto'
import { minutes, wallTime, type Clock, type WallTime } from '../kernel/time.ts'
import type { Role } from './core/roles.ts'

export const loginCodeTtl = minutes(15)
/** Codes waiting to be used; the oldest goes when there are more. */
const codesMax = 100
const codePattern = /^[A-Za-z0-9_-]{32}$/

export interface LoginCode {
  readonly code: string
  readonly expiresAt: WallTime
}

interface Grant {
  readonly subject: string
  readonly role: Role
  readonly expiresAt: WallTime
}

export class LoginCodes {
  readonly #clock: Clock
  /** By the hash of the code, so that finding one tells nothing about the others. */
  readonly #grants = new Map<string, Grant>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  create(subject: string, role: Role): LoginCode {
    const code = randomBytes(24).toString('base64url')
    const expiresAt = wallTime(this.#clock.wallTime() + loginCodeTtl)
    this.#grants.set(hashOf(code), { subject, role, expiresAt })
    for (const oldest of this.#grants.keys()) {
      if (this.#grants.size <= codesMax) break
      this.#grants.delete(oldest)
    }
    return { code, expiresAt }
  }

  /** Uses the code up. Undefined when it is unknown, used or too old. */
  redeem(code: string): { readonly subject: string; readonly role: Role } | undefined {
    if (!codePattern.test(code)) return undefined
    const hash = hashOf(code)
    const grant = this.#grants.get(hash)
    this.#grants.delete(hash)
    return grant !== undefined && grant.expiresAt > this.#clock.wallTime() ? grant : undefined
  }
}

const hashOf = (code: string): string => createHash('sha256').update(code).digest('hex')
