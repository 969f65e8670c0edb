/** What others need to know of access: who somebody is, and how they said so. */
import type { WallTime } from '../kernel/time.ts'
import type { Role } from './core/roles.ts'

/** Somebody who has proved who they are. */
export interface Principal {
  /** `alice`, `apikey:ci`, `cli`: the actor of events. */
  readonly name: string
  readonly role: Role
  /** Names the credential (never its secret), for counting: `token:<jti>`, `apikey:<keyId>`, `local`. */
  readonly credential: string
  readonly expiresAt: WallTime | undefined
  /** Until when its token may be exchanged for a new one; undefined: it may not, and ends when it ends. */
  readonly renewableUntil?: WallTime | undefined
}

/** What came of the credential of a request. */
export type Authentication =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'proved'; readonly principal: Principal }
  /** `reason` is for the client: it never helps to guess. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Too many refused credentials from this address. */
  | { readonly kind: 'blocked'; readonly retryAfterMs: number }

export interface MintedToken {
  readonly token: string
  readonly subject: string
  readonly role: Role
  readonly expiresAt: WallTime
}

/** An API key as it may be shown: everything but the secret. */
export interface ApiKeyInfo {
  readonly keyId: string
  readonly name: string
  readonly role: Role
  readonly createdAt: WallTime
  readonly createdBy: string
  readonly expiresAt: WallTime
  /** To the minute; undefined: never used. */
  readonly lastUsedAt: WallTime | undefined
}
