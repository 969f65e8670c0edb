/**
 * Our own JWTs: signed with HS256 by the secret of this installation, for at most a day. Strict on the way in: the
 * algorithm is ours to say, never the header's, and every claim we rely on must be there. There is no list of revoked
 * tokens: they are short-lived, and a new secret ends them all.
 */
import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose'
import { formatDuration } from '../kernel/duration.ts'
import { HoldfastError } from '../kernel/errors.ts'
import { newId } from '../kernel/system.ts'
import { wallTime, type Clock, type Duration, type WallTime } from '../kernel/time.ts'
import { objectionTo } from './core/compact-jws.ts'
import { isRole, type Role } from './core/roles.ts'
import type { Authentication, MintedToken } from './types.ts'

export const tokenIssuer = 'holdfast'
export const tokenAudience = 'holdfast-api'
/** Also the largest. */
export const tokenTtlMax = 86_400_000
export const tokenTtlDefault = 3_600_000
/** For clocks that differ. */
const leewaySeconds = 60
/** Names go into events and logs: one line, printable, short. */
export const subjectPattern = /^[\p{L}\p{N}][\p{L}\p{N} ._:@/+-]{0,99}$/u

export class Tokens {
  readonly #secret: Uint8Array
  readonly #clock: Clock

  constructor(secret: Uint8Array, clock: Clock) {
    this.#secret = secret
    this.#clock = clock
  }

  /** @throws `invalid_input` when the subject is no name or the lifetime is not within 1 s and 24 h. */
  async mint(claims: {
    readonly subject: string
    readonly role: Role
    readonly ttl?: Duration | undefined
    readonly renewableUntil?: WallTime | undefined
  }): Promise<MintedToken> {
    const { subject, role, renewableUntil } = claims
    const ttl = claims.ttl ?? tokenTtlDefault
    if (!subjectPattern.test(subject)) {
      throw new HoldfastError('invalid_input', `could not make a token for the subject ${JSON.stringify(subject)}`, {
        hint: 'use letters, digits, spaces and ._:@/+-, at most 100 characters',
      })
    }
    if (!(ttl >= 1_000 && ttl <= tokenTtlMax)) {
      throw new HoldfastError('invalid_input', `could not make a token that lives ${formatDuration(ttl)}`, { hint: 'ask for 1s to 24h' })
    }
    const issuedAt = Math.floor(this.#clock.wallTime() / 1_000)
    const expiresAt = issuedAt + Math.floor(ttl / 1_000)
    const token = await new SignJWT({ role, ...(renewableUntil !== undefined && { renew: Math.floor(renewableUntil / 1_000) }) })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(tokenIssuer)
      .setAudience(tokenAudience)
      .setSubject(subject)
      .setJti(newId())
      .setIssuedAt(issuedAt)
      .setExpirationTime(expiresAt)
      .sign(this.#secret)
    return { token, subject, role, expiresAt: wallTime(expiresAt * 1_000) }
  }

  async verify(token: string): Promise<Authentication> {
    const objection = objectionTo(token)
    if (objection !== undefined) return { kind: 'refused', reason: objection }
    try {
      const { payload, protectedHeader } = await jwtVerify(token, this.#secret, {
        algorithms: ['HS256'],
        issuer: tokenIssuer,
        audience: tokenAudience,
        requiredClaims: ['iss', 'aud', 'sub', 'iat', 'exp', 'jti', 'role'],
        clockTolerance: leewaySeconds,
        currentDate: new Date(this.#clock.wallTime()),
      })
      if (protectedHeader.typ !== undefined && protectedHeader.typ !== 'JWT') return { kind: 'refused', reason: 'the token is of another type' }
      return this.#accept(payload)
    } catch (error) {
      if (error instanceof errors.JWTExpired) return { kind: 'refused', reason: 'the token has expired' }
      if (error instanceof errors.JOSEError) return { kind: 'refused', reason: 'the token is not valid here' }
      throw error
    }
  }

  /** The claims of a token whose signature holds. Others may know the secret too, so nothing is taken on trust. */
  #accept(payload: JWTPayload): Authentication {
    const { sub, jti, iat, exp, role, renew } = payload
    if (iat === undefined || exp === undefined || !isRole(role)) return { kind: 'refused', reason: 'the token is not valid here' }
    if (typeof sub !== 'string' || !subjectPattern.test(sub)) return { kind: 'refused', reason: 'the token has no usable subject' }
    if (typeof jti !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(jti)) return { kind: 'refused', reason: 'the token has no usable id' }
    if (iat > this.#clock.wallTime() / 1_000 + leewaySeconds) return { kind: 'refused', reason: 'the token is from the future' }
    if ((exp - iat) * 1_000 > tokenTtlMax) return { kind: 'refused', reason: 'the token lives longer than 24 hours' }
    const renewableUntil = typeof renew === 'number' ? wallTime(renew * 1_000) : undefined
    const expiresAt = wallTime((exp + leewaySeconds) * 1_000)
    return { kind: 'proved', principal: { name: sub, role, credential: `token:${jti}`, expiresAt, renewableUntil } }
  }
}
