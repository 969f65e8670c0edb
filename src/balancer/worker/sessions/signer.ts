/** Signs and checks session cookies, and gives endpoints the names that stand in them. All workers have the same keys; the one before is still good for checking. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { readSession, signedPart, type SessionValue } from '../../core/sessions/session-cookie.ts'

export const sessionKeyBytes = 32

export interface CheckedSession extends SessionValue {
  /** It was signed with the present key. */
  readonly current: boolean
}

export class SessionSigner {
  /** The present one first. */
  readonly #keys: readonly Buffer[]

  /** `keys`: one or two, joined. Without: good for this process only. */
  constructor(keys: Buffer = randomBytes(sessionKeyBytes)) {
    this.#keys = Array.from({ length: keys.length / sessionKeyBytes }, (_, i) => keys.subarray(i * sessionKeyBytes, (i + 1) * sessionKeyBytes))
  }

  sign(service: string, value: SessionValue): string {
    const signed = signedPart(value)
    return `${signed}.${macOf(this.#keys[0]!, service, signed)}`
  }

  /** undefined: we have not signed it, or so long ago that the key is gone. */
  check(service: string, text: string): CheckedSession | undefined {
    const session = readSession(text)
    if (session === undefined) return undefined
    const mac = Buffer.from(session.mac, 'latin1')
    const index = this.#keys.findIndex((key) => timingSafeEqual(mac, Buffer.from(macOf(key, service, session.signed), 'latin1')))
    return index < 0 ? undefined : { ...session, current: index === 0 }
  }

  /** The names of an endpoint, by key: what stands in a cookie tells nobody its address. */
  namesOf(service: string, endpoint: string): string[] {
    return this.#keys.map((key) => digest(key, `endpoint\u0000${service}\u0000${endpoint}`).slice(0, 11))
  }
}

const digest = (key: Buffer, text: string): string => createHmac('sha256', key).update(text).digest('base64url')

const macOf = (key: Buffer, service: string, signed: string): string => digest(key, `session\u0000${service}\u0000${signed}`).slice(0, 22)
