/**
 * The gate every request passes before its body is read:
 *
 *   host ──▶ no credential in the query ──▶ who is it ──▶ how often ──▶ may it ──▶ record ──▶ handler
 *   403      400                            401, 429      429           403
 *
 * The order is deliberate: what is cheap comes first, and a refused credential is counted against its address before
 * anything else is done for it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { addressKey, isLoopback, may, permissions, RateLimiter, type Permission, type Principal, type RateDecision } from '../access/index.ts'
import { HoldfastError } from '../kernel/errors.ts'
import type { Clock } from '../kernel/time.ts'
import type { AuditTrail } from './audit-trail.ts'
import { anonymous, type Caller } from './caller.ts'
import { apiBase, type ApiDeps } from './deps.ts'
import { statusOfCode } from './errors.ts'
import { openPolicy } from './route.ts'

export class Gate {
  readonly #deps: Pick<ApiDeps, 'access' | 'config'>
  readonly #audit: AuditTrail
  readonly #clock: Clock
  readonly #requests: RateLimiter
  /** Host names that may stand in `Host`; undefined: any. */
  readonly #hosts: ReadonlySet<string> | undefined

  constructor(deps: Pick<ApiDeps, 'access' | 'config'>, audit: AuditTrail, clock: Clock) {
    this.#deps = deps
    this.#audit = audit
    this.#clock = clock
    this.#requests = new RateLimiter(deps.config.access.rateLimit)
    this.#hosts = isLoopback(deps.config.api.host) ? new Set(deps.config.api.corsOrigins.map(hostOfOrigin)) : undefined
  }

  install(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => this.#enter(request, reply))
    app.addHook('preValidation', async (request) => this.#afterBody(request))
    app.addHook('onSend', async (request, reply) => this.#leave(request, reply))
  }

  async #enter(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const policy = request.routeOptions.config.policy ?? openPolicy
    if (policy.anyHost !== true) this.#checkHost(request)
    this.#checkQuery(request)
    if (policy.permission === 'open') {
      if (!policy.unlimited) this.#count(addressKey(request.ip), request, reply)
      return
    }
    const principal = await this.#identify(request, reply)
    this.#count(principal?.credential ?? addressKey(request.ip), request, reply)
    if (principal) this.#admit(request, principal, policy.permission, policy.audited)
    else if (!policy.openFor) throw this.#deny(request, unauthorized(request, 'no credential was shown'), 'no credential')
  }

  /** Routes that some bodies open by themselves could not be decided before the body was there. */
  async #afterBody(request: FastifyRequest): Promise<void> {
    const { openFor, audited } = request.routeOptions.config.policy ?? openPolicy
    if (!openFor || request.caller.principal) return
    if (!openFor(request.body)) throw this.#deny(request, unauthorized(request, 'no credential was shown'), 'no credential')
    if (audited) this.#record(request, request.caller)
  }

  async #leave(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (request.url.startsWith(apiBase) || request.caller.principal) reply.header('cache-control', 'no-store')
    if (request.caller.granted === undefined) return
    this.#audit.finished(request, reply.statusCode)
    // An error while sending brings the answer here a second time.
    request.caller = { ...request.caller, granted: undefined }
  }

  /**
   * A page elsewhere can make a browser resolve its own name to 127.0.0.1 (DNS rebinding); the name then still stands in Host.
   * So when only this machine can connect, only names of this machine are answered.
   */
  #checkHost(request: FastifyRequest): void {
    const host = request.headers.host
    if (!this.#hosts || host === undefined) return
    const name = host.replace(/\.?(:\d+)?$/, '').toLowerCase()
    if (isLoopback(name) || this.#hosts.has(name)) return
    throw this.#deny(
      request,
      new HoldfastError('host_not_allowed', 'this API answers only to the names of this machine, and Host names another', {
        hint: 'use localhost, list the origin in api.corsOrigins, or bind api.host to an address others can reach',
      }),
      'a foreign Host field',
    )
  }

  #checkQuery(request: FastifyRequest): void {
    const query = request.query as Record<string, unknown>
    const names = Object.keys(query)
    if (!names.some((name) => credentialName.test(name) || hasKey(query[name]))) return
    throw this.#deny(
      request,
      new HoldfastError('credential_in_query', 'a credential stands in the address, where it ends up in logs and histories', {
        hint: 'send it as Authorization: Bearer or X-API-Key, and replace it, as it may have been seen',
      }),
      'a credential in the query',
    )
  }

  async #identify(request: FastifyRequest, reply: FastifyReply): Promise<Principal | undefined> {
    const credential = credentialOf(request)
    const outcome = await this.#deps.access.authenticate(credential, request.ip)
    switch (outcome.kind) {
      case 'anonymous':
        return undefined
      case 'proved':
        return outcome.principal
      case 'refused':
        reply.header('www-authenticate', 'Bearer realm="holdfast", error="invalid_token"')
        throw this.#deny(request, unauthorized(request, outcome.reason), outcome.reason)
      case 'blocked':
        throw this.#deny(
          request,
          new HoldfastError('rate_limited', 'too many refused credentials from this address', { details: { retryAfterMs: outcome.retryAfterMs } }),
          'too many refused credentials',
        )
    }
  }

  #admit(request: FastifyRequest, principal: Principal, permission: Permission, audited: boolean): void {
    const caller: Caller = { principal, actor: { name: principal.name, address: request.ip }, granted: undefined }
    request.caller = caller
    if (!may(principal.role, permission)) throw this.#deny(request, forbidden(request, principal, permission), `it has the role ${principal.role}`)
    if (audited) this.#record(request, caller)
  }

  #record(request: FastifyRequest, caller: Caller): void {
    const granted = this.#audit.granted(request, caller)
    request.caller = { ...caller, actor: { ...caller.actor, cause: granted }, granted }
  }

  #count(key: string, request: FastifyRequest, reply: FastifyReply): void {
    const decision = this.#requests.take(key, this.#clock.now())
    rateLimitFields(reply, decision)
    if (decision.allowed) return
    throw this.#deny(
      request,
      new HoldfastError('rate_limited', `more than ${decision.limit.count} requests in ${decision.limit.per / 1_000} s`, {
        hint: 'slow down, or raise access.rateLimit',
        details: { retryAfterMs: decision.retryAfter },
      }),
      'too many requests',
    )
  }

  #deny(request: FastifyRequest, error: HoldfastError, why: string): HoldfastError {
    this.#audit.denied(request, request.caller.principal ? request.caller : anonymous(request.ip), statusOfCode(error.code), why)
    return error
  }
}

/** IETF draft "RateLimit header fields for HTTP". */
function rateLimitFields(reply: FastifyReply, { limit, remaining, resetAfter }: RateDecision): void {
  reply.header('ratelimit-policy', `"default";q=${limit.count};w=${Math.ceil(limit.per / 1_000)}`)
  reply.header('ratelimit', `"default";r=${remaining};t=${Math.ceil(resetAfter / 1_000)}`)
}

const credentialName = /^(x-)?(api[-_]?key|access[-_]?token|token|authorization|bearer|jwt|secret|password)$/i
const hasKey = (value: unknown): boolean => [value].flat().some((one) => typeof one === 'string' && /^hf_[a-z0-9]{10}_/.test(one))

/** The credential of a request, whichever of the two fields it is in. */
function credentialOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  const apiKey = request.headers['x-api-key']
  if (authorization !== undefined && apiKey !== undefined) {
    throw new HoldfastError('invalid_input', 'two credentials were shown: in Authorization and in X-API-Key', { hint: 'send one' })
  }
  if (apiKey !== undefined) return String(apiKey)
  if (authorization === undefined) return undefined
  const [, basic] = /^Basic +([A-Za-z0-9+/]+=*) *$/i.exec(authorization) ?? []
  // As tools of Prometheus and Alertmanager send it: the token or key is the password, whatever the name.
  if (basic !== undefined) return /^[^:]*:(\S+)$/.exec(Buffer.from(basic, 'base64').toString('utf8'))?.[1] ?? 'unreadable'
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? []
  // What is not a bearer token is still a credential that was shown: it is refused and counted.
  return token ?? 'unreadable'
}

const unauthorized = (request: FastifyRequest, reason: string): HoldfastError =>
  new HoldfastError('unauthorized', `${request.method} ${request.routeOptions.url ?? ''} needs a credential: ${reason}`, {
    hint: 'send Authorization: Bearer TOKEN or X-API-Key: KEY; make a token with: holdfast token create',
  })

const forbidden = (request: FastifyRequest, { role }: Principal, permission: Permission): HoldfastError =>
  new HoldfastError(
    'forbidden',
    `${request.method} ${request.routeOptions.url ?? ''} needs the role ${permissions[permission].from}, this credential has ${role}`,
    {
      details: { permission, needs: permissions[permission].from, has: role },
    },
  )

function hostOfOrigin(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname.toLowerCase() : origin.toLowerCase()
}
