/**
 * Who somebody is. Four kinds of proof: a JWT of ours, an API key, the local key of this machine's CLI, and a one-time login
 * code that is exchanged for a JWT. What they may then do is in `core/permissions.ts`.
 *
 * Guessing is answered ten times a minute per address. After that an address is told to wait, without its credential
 * being looked at; only credentials that were good here before pass, so that one broken script cannot lock out the
 * people who share its address.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Config } from '../config/types.ts'
import { assert, HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Component } from '../kernel/lifecycle.ts'
import { days, ms, minutes, wallTime, type Clock, type Duration } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import { ApiKeys } from './api-keys.ts'
import { addressKey } from './core/address.ts'
import { formatApiKey, keyIdLength } from './core/api-key.ts'
import { RateLimiter } from './core/rate-limiter.ts'
import type { Role } from './core/roles.ts'
import { LoginCodes, type LoginCode } from './login-codes.ts'
import { loadSecret } from './secret-file.ts'
import { Tokens, tokenTtlMax } from './tokens.ts'
import type { ApiKeyInfo, Authentication, MintedToken, Principal } from './types.ts'

/** A person who signs in by a link may stay signed in so long; each token lives a day at most, and is exchanged for a new one while it lives. */
export const signInLasts = days(7)
export const failedCredentialsLimit = { count: 10, per: minutes(1) } as const
/** Credentials remembered as good; the oldest is forgotten when there are more. */
const knownGoodMax = 10_000
const shortestTokenMs = 1_000

export interface AccessDeps {
  readonly config: Pick<Config, 'access' | 'data'>
  readonly store: StateStore
  readonly events: EventSink
  readonly clock: Clock
  /** What went wrong without anybody waiting for it: the use of a key could not be written down. */
  readonly onError: (error: unknown) => void
}

export class Access implements Component {
  readonly name = 'access'
  readonly #deps: AccessDeps
  readonly #keys: ApiKeys
  readonly #codes: LoginCodes
  readonly #failures = new RateLimiter(failedCredentialsLimit)
  /** Hashes of credentials that were good. */
  readonly #knownGood = new Set<string>()
  #tokens: Tokens | undefined
  #local: { readonly key: string; readonly hash: Buffer } | undefined

  constructor(deps: AccessDeps) {
    this.#deps = deps
    this.#keys = new ApiKeys(deps.store, deps.clock, deps.onError)
    this.#codes = new LoginCodes(deps.clock)
  }

  /** Reads or makes the token secret and reads the API keys; the store must have started. Rejects with `secret_invalid`, `secret_unwritable`. */
  async start(): Promise<void> {
    const { config, clock } = this.#deps
    this.#tokens = new Tokens(await loadSecret(config.access.jwtSecret, config.data), clock)
    const { key } = formatApiKey(randomBytes(keyIdLength), randomBytes(32))
    this.#local = { key, hash: sha256(key) }
    await this.#keys.start()
  }

  async stop(): Promise<void> {
    await this.#keys.stop()
    this.#local = undefined
  }

  /** The admin key of this machine's CLI: for `<data>/run/control.json` (mode 0600). It is kept nowhere and lives as long as this process. */
  localToken(): string {
    assert(this.#local, 'access has not started')
    return this.#local.key
  }

  /** A code for the login link that `up` prints: good once, for 15 minutes. */
  createLoginCode(subject = 'admin', role: Role = 'admin'): LoginCode {
    return this.#codes.create(subject, role)
  }

  /** Who shows this credential. Counts a refusal against the address. */
  async authenticate(credential: string | undefined, address: string): Promise<Authentication> {
    if (credential === undefined) return { kind: 'anonymous' }
    const blocked = this.#blocked(address)
    if (blocked && !this.#knownGood.has(hex(credential))) return blocked
    const outcome = await this.#verify(credential)
    if (outcome.kind === 'refused') this.#countFailure(address)
    if (outcome.kind === 'proved') this.#remember(credential)
    return outcome
  }

  /** Whether what was proved still holds: for streams, which outlive the request that opened them. */
  holds(principal: Principal): boolean {
    const { credential, expiresAt } = principal
    if (expiresAt !== undefined && expiresAt <= this.#deps.clock.wallTime()) return false
    return !credential.startsWith('apikey:') || this.#keys.has(credential.slice('apikey:'.length))
  }

  /** @throws `invalid_input` */
  async mintToken(claims: {
    readonly subject: string
    readonly role: Role
    readonly ttl?: Duration | undefined
    readonly by: Principal
  }): Promise<MintedToken> {
    return this.#announceToken(await this.#started().mint(claims), claims.by.name)
  }

  /** Exchanges a login code for a token. @throws `unauthorized` when it is unknown, used or too old; `rate_limited` after ten such in a minute. */
  async login(code: string, address: string, ttl: Duration = ms(tokenTtlMax)): Promise<MintedToken> {
    const blocked = this.#blocked(address)
    if (blocked)
      throw new HoldfastError('rate_limited', 'too many refused credentials from this address', { details: { retryAfterMs: blocked.retryAfterMs } })
    const grant = this.#codes.redeem(code)
    if (!grant) {
      this.#countFailure(address)
      throw new HoldfastError('unauthorized', 'the login code is unknown, used or more than 15 minutes old', {
        hint: 'make a token with: holdfast token create',
      })
    }
    const renewableUntil = wallTime(this.#deps.clock.wallTime() + signInLasts)
    return this.#announceToken(await this.#started().mint({ ...grant, ttl, renewableUntil }), grant.subject)
  }

  /**
   * A new token for whoever signed in by a link, with the role and the end of the sign-in that the old one has. A token that was made by hand is not renewed: whoever
   * made it short wanted it short. @throws `not_renewable`
   */
  async renew({ name, role, renewableUntil }: Principal): Promise<MintedToken> {
    const left = renewableUntil === undefined ? 0 : renewableUntil - this.#deps.clock.wallTime()
    if (left < shortestTokenMs) {
      throw new HoldfastError('not_renewable', renewableUntil === undefined ? 'this credential cannot be renewed' : 'the sign-in has ended', {
        hint: 'sign in again, with the link of: holdfast up',
      })
    }
    const ttl = ms(Math.min(tokenTtlMax, left))
    return this.#announceToken(await this.#started().mint({ subject: name, role, ttl, renewableUntil }), name)
  }

  async createApiKey(wanted: {
    readonly name: string
    readonly role: Role
    readonly ttl?: Duration | undefined
    readonly by: Principal
  }): Promise<ApiKeyInfo & { readonly key: string }> {
    const { by, ...rest } = wanted
    const made = await this.#keys.create({ ...rest, createdBy: by.name })
    this.#deps.events.emit('apikey.created', {
      message: `${by.name} made the API key ${made.name} (${made.keyId}) with the role ${made.role}`,
      data: { actor: by.name, role: made.role, keyId: made.keyId, name: made.name },
    })
    return made
  }

  apiKeys(): readonly ApiKeyInfo[] {
    return this.#keys.list()
  }

  /** @throws `unknown_api_key` */
  async revokeApiKey(keyId: string, by: Principal): Promise<void> {
    await this.#keys.revoke(keyId)
    this.#deps.events.emit('apikey.revoked', { message: `${by.name} revoked the API key ${keyId}`, data: { actor: by.name, keyId } })
  }

  async #verify(credential: string): Promise<Authentication> {
    const local = this.#local
    if (local && timingSafeEqual(sha256(credential), local.hash)) {
      return { kind: 'proved', principal: { name: 'cli', role: 'admin', credential: 'local', expiresAt: undefined } }
    }
    return credential.startsWith('hf_') ? this.#keys.verify(credential) : this.#started().verify(credential)
  }

  #blocked(address: string): Extract<Authentication, { kind: 'blocked' }> | undefined {
    const { allowed, retryAfter } = this.#failures.check(addressKey(address), this.#deps.clock.now())
    return allowed ? undefined : { kind: 'blocked', retryAfterMs: retryAfter }
  }

  #countFailure(address: string): void {
    this.#failures.take(addressKey(address), this.#deps.clock.now())
  }

  #remember(credential: string): void {
    this.#knownGood.add(hex(credential))
    for (const oldest of this.#knownGood) {
      if (this.#knownGood.size <= knownGoodMax) break
      this.#knownGood.delete(oldest)
    }
  }

  #announceToken(minted: MintedToken, actor: string): MintedToken {
    this.#deps.events.emit('token.created', {
      message: `${actor} made a token for ${minted.subject} with the role ${minted.role}`,
      data: { actor, role: minted.role, expiresAt: minted.expiresAt },
    })
    return minted
  }

  #started(): Tokens {
    assert(this.#tokens, 'access has not started')
    return this.#tokens
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const hex = (text: string): string => sha256(text).toString('hex')
