/**
 * The REST API as methods: one per thing that a command asks. Opens the envelope, turns refusals into errors with
 * the server's own words, and tells "nobody there" (exit code 3) from "no" (1) and "not you" (4).
 */
import type { Readable } from 'node:stream'
import { Agent, errors, request } from 'undici'
import type { Explanation } from '../app/explaining.ts'
import type { StoredValue, ValueOptions } from '../app/cache-operations.ts'
import type { Flame, ProfileInfo } from '../app/profile-operations.ts'
import type { Impact } from '../app/dependency-operations.ts'
import type { ConfigChange, LogLine, Overview, RestartReport, ScalingRecord, Split } from '../app/operations.ts'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import type { AnyEvent, EventLevel } from '../kernel/events.ts'
import { seconds, type Duration } from '../kernel/time.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type {
  AlertDescription,
  AlertExplanationDescription,
  IncidentDescription,
  NewSilence,
  RouteDescription,
  SilenceDescription,
} from './alerts-api.ts'
import type { CacheDescription, PurgeBody, Purged } from './cache-api.ts'
import type { CheckDescription, ChecksDescription, PolicyDescription } from './checks-api.ts'
import { ApiError } from './errors.ts'
import type { AlertReportDescription, BacktestBody, BacktestDescription, CoverageDescription, RuleDescription } from './rules-api.ts'
import type { MetricDescription, MetricQuery, MetricSeries } from './metrics-api.ts'
import { readServerSentEvents } from './sse.ts'

export interface EventFilter {
  readonly service?: string | undefined
  readonly type?: string | undefined
  /** This level and the graver ones. */
  readonly level?: EventLevel | undefined
  readonly limit?: number | undefined
}

export interface FollowEvents {
  /** Begin behind this event; undefined: with what happens from now on. */
  readonly afterSeq: number | undefined
  /** Events after `afterSeq` have left the log. */
  readonly onGap: () => void
  readonly signal: AbortSignal
}

export interface LogFilter {
  readonly instance?: string | undefined
  /** Wall time in milliseconds. */
  readonly since?: number | undefined
  readonly grep?: string | undefined
  readonly limit?: number | undefined
}

export interface Readiness {
  readonly ready: boolean
  /** Why not. */
  readonly reasons: readonly string[]
}

/** Times are ISO 8601, UTC. */
export interface MintedToken {
  readonly token: string
  readonly subject: string
  readonly role: string
  readonly expiresAt: string
}

export interface ApiKeyDescription {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly createdAt: string
  readonly createdBy: string
  readonly expiresAt: string
  /** null: never used. */
  readonly lastUsedAt: string | null
}

export type MaintenanceTarget = { readonly service: string } | { readonly endpoint: string }

/** What commands may ask of a running control process. Methods reject with ApiError, or with `not_running` or `unreachable`. */
/** A request that kills instances, as the API tells it. */
export interface QuarantinedDescription {
  readonly id: string
  readonly service: string
  /** Method and path. */
  readonly request: string
  readonly since: string
  readonly until: string
  readonly crashes: readonly { readonly instance: string; readonly reason: string; readonly requestId: string; readonly at: string }[]
}

/** What needs what, as the API tells it. */
export interface DependencyList {
  readonly nodes: readonly { readonly name: string; readonly kind: string; readonly state: string }[]
  readonly edges: readonly {
    readonly from: string
    readonly to: string
    readonly hard: boolean
    readonly alternatives: readonly string[]
    readonly why: string
  }[]
}

export interface ProfileDescription extends Omit<ProfileInfo, 'startedAt' | 'pid' | 'error'> {
  readonly startedAt: string
  readonly pid: number | null
  readonly error: string | null
}

export interface ProfileAsk {
  readonly kind: ProfileInfo['kind']
  readonly durationMs: number
  readonly instance?: string
}

export interface Api {
  takeProfile(service: string, ask: ProfileAsk): Promise<ProfileDescription>
  profiles(): Promise<readonly ProfileDescription[]>
  profile(id: string): Promise<Readable>
  flame(id: string): Promise<Flame>
  dependencies(): Promise<DependencyList>
  impact(name: string): Promise<Impact>
  /** Where it is asked: `http://127.0.0.1:3006`. */
  readonly url: string
  overview(): Promise<Overview>
  service(name: string): Promise<ServiceStatus>
  readiness(): Promise<Readiness>
  restart(service: string, signal: AbortSignal): Promise<RestartReport>
  scale(service: string, instances: number, reason: string | undefined): Promise<ScalingRecord>
  setMaintenance(target: MaintenanceTarget, enabled: boolean): Promise<void>
  split(service: string): Promise<Split>
  /** undefined: as configured. */
  setSplit(service: string, shares: Split['shares']): Promise<Split>
  orderBreaker(service: string, action: 'isolate' | 'close' | 'reset'): Promise<void>
  quarantined(): Promise<readonly QuarantinedDescription[]>
  alerts(filter: { readonly all?: boolean | undefined; readonly service?: string | undefined }): Promise<readonly AlertDescription[]>
  ackAlert(
    id: string,
    ack: { readonly comment?: string | undefined; readonly for?: number | undefined },
  ): Promise<{ readonly by: string; readonly until: string }>
  explainAlert(id: string): Promise<AlertExplanationDescription>
  alertRoutes(labels: Readonly<Record<string, string>>): Promise<readonly RouteDescription[]>
  silences(all: boolean): Promise<readonly SilenceDescription[]>
  silence(silence: NewSilence): Promise<SilenceDescription>
  expireSilence(id: string): Promise<SilenceDescription>
  incidents(): Promise<readonly IncidentDescription[]>
  incident(id: string): Promise<IncidentDescription>
  forgetQuarantined(id: string): Promise<void>
  checks(): Promise<ChecksDescription>
  policies(): Promise<readonly PolicyDescription[]>
  check(name: string): Promise<CheckDescription>
  orderCheck(name: string, action: 'run' | 'pause' | 'resume' | 'heartbeat'): Promise<CheckDescription>
  rules(): Promise<readonly RuleDescription[]>
  backtest(order: BacktestBody): Promise<BacktestDescription>
  alertCoverage(): Promise<CoverageDescription>
  alertReport(since: string | undefined): Promise<AlertReportDescription>
  cacheStats(): Promise<CacheDescription>
  cached(key: string): Promise<unknown>
  cache(key: string, value: unknown, options: ValueOptions): Promise<StoredValue>
  uncache(key: string): Promise<void>
  clearCache(): Promise<Purged>
  purge(order: PurgeBody): Promise<Purged>
  /** The newest, oldest of them first. */
  events(filter: EventFilter): Promise<readonly AnyEvent[]>
  explain(id: string): Promise<Explanation>
  metricsCatalogue(): Promise<readonly MetricDescription[]>
  queryMetrics(query: MetricQuery): Promise<MetricSeries>
  /** Each event with `seq` above `afterSeq`, as it happens. Resolves once the server has agreed; the stream ends when the server or `signal` ends it. */
  followEvents(filter: EventFilter, follow: FollowEvents): Promise<AsyncIterable<AnyEvent>>
  logs(service: string, filter: LogFilter): Promise<readonly LogLine[]>
  followLogs(service: string, filter: LogFilter, signal: AbortSignal): Promise<AsyncIterable<LogLine>>
  /** What applying `text` (default: the file it runs from) would change. */
  checkConfig(text?: string): Promise<readonly ConfigChange[]>
  reloadConfig(): Promise<readonly ConfigChange[]>
  down(): Promise<void>
  /** Of a login link: `<address>/#login=<code>`. */
  createLoginCode(): Promise<string>
  createToken(role: string, ttlMs: number | undefined, subject: string | undefined): Promise<MintedToken>
  createApiKey(name: string, role: string, ttlMs: number | undefined): Promise<ApiKeyDescription & { readonly key: string }>
  apiKeys(): Promise<readonly ApiKeyDescription[]>
  revokeApiKey(id: string): Promise<void>
  close(): Promise<void>
}

export interface ClientOptions {
  readonly url: string
  /** A JWT, or an API key (`hf_…`). */
  readonly token: string | undefined
  /** Says that nobody listens there, in words that fit how the address was found. */
  readonly unreachable: (cause: Error) => HoldfastError
}

const cachePath = (key: string): string => `/cache/keys/${encodeURIComponent(key)}`

const connectTimeout: Duration = seconds(3)
/** Until an answer begins. Long work (restart) has no limit of its own: it ends by the caller's signal. */
const answerTimeout: Duration = seconds(30)
/** Three of the heartbeats that the server sends down a quiet stream. */
const streamSilenceMax: Duration = seconds(45)
const answerBytesMax = 64 * 1_048_576
const base = '/api/infrastructure'

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** @default answerTimeout; 0: none */
  readonly timeoutMs?: number
  /** Between two parts of the answer. @default timeoutMs */
  readonly silenceMs?: number
}

type Answer = Awaited<ReturnType<typeof request>>

export class ApiClient implements Api {
  readonly url: string
  readonly #options: ClientOptions
  readonly #agent = new Agent({ connect: { timeout: connectTimeout }, keepAliveTimeout: seconds(4) })

  constructor(options: ClientOptions) {
    this.url = options.url.replace(/\/+$/, '')
    this.#options = options
  }

  overview(): Promise<Overview> {
    return this.#data('/overview')
  }

  service(name: string): Promise<ServiceStatus> {
    return this.#data(`/services/${encodeURIComponent(name)}`)
  }

  async readiness(): Promise<Readiness> {
    const answer = await this.#send('/ready', {})
    const body = await readJson(answer, this.#at('/ready'))
    if (answer.statusCode === 200) return { ready: true, reasons: [] }
    return { ready: false, reasons: reasonsOf(body) }
  }

  restart(service: string, signal: AbortSignal): Promise<RestartReport> {
    return this.#data(`/services/${encodeURIComponent(service)}/restart`, { method: 'POST', timeoutMs: 0, signal })
  }

  scale(service: string, instances: number, reason: string | undefined): Promise<ScalingRecord> {
    return this.#data(`/scaling/scale`, { method: 'POST', body: { service, instances, reason } })
  }

  async setMaintenance(target: MaintenanceTarget, enabled: boolean): Promise<void> {
    await this.#data('/maintenance', { method: 'PUT', body: { ...target, enabled } })
  }

  takeProfile(service: string, ask: ProfileAsk): Promise<ProfileDescription> {
    return this.#data(`/services/${encodeURIComponent(service)}/profiles`, { method: 'POST', body: ask })
  }

  profiles(): Promise<readonly ProfileDescription[]> {
    return this.#data('/profiles')
  }

  async profile(id: string): Promise<Readable> {
    const path = `/profiles/${encodeURIComponent(id)}`
    const answer = await this.#send(path, { timeoutMs: 0 })
    if (answer.statusCode === 200) return answer.body
    openEnvelope(answer.statusCode, await readJson(answer, this.#at(path)), `GET ${this.#at(path)}`)
    throw new ApiError(answer.statusCode, 'unexpected_answer', `GET ${this.#at(path)}: expected a recording, got status ${answer.statusCode}`)
  }

  flame(id: string): Promise<Flame> {
    return this.#data(`/profiles/${encodeURIComponent(id)}/flame`)
  }

  dependencies(): Promise<DependencyList> {
    return this.#data<DependencyList>('/dependencies')
  }

  impact(name: string): Promise<Impact> {
    return this.#data<Impact>(`/dependencies/${encodeURIComponent(name)}/impact`)
  }

  alerts({ all, service }: { readonly all?: boolean | undefined; readonly service?: string | undefined }): Promise<readonly AlertDescription[]> {
    return this.#data('/alerts', { query: { all, service } })
  }

  ackAlert(
    id: string,
    ack: { readonly comment?: string | undefined; readonly for?: number | undefined },
  ): Promise<{ readonly by: string; readonly until: string }> {
    return this.#data(`/alerts/${encodeURIComponent(id)}/ack`, { method: 'POST', body: ack })
  }

  explainAlert(id: string): Promise<AlertExplanationDescription> {
    return this.#data(`/alerts/${encodeURIComponent(id)}/explain`)
  }

  alertRoutes(labels: Readonly<Record<string, string>>): Promise<readonly RouteDescription[]> {
    return this.#data('/alerts/routes/test', { method: 'POST', body: { labels } })
  }

  silences(all: boolean): Promise<readonly SilenceDescription[]> {
    return this.#data('/silences', { query: { all } })
  }

  silence(silence: NewSilence): Promise<SilenceDescription> {
    return this.#data('/silences', { method: 'POST', body: silence })
  }

  expireSilence(id: string): Promise<SilenceDescription> {
    return this.#data(`/silences/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  incidents(): Promise<readonly IncidentDescription[]> {
    return this.#data('/incidents')
  }

  incident(id: string): Promise<IncidentDescription> {
    return this.#data(`/incidents/${encodeURIComponent(id)}`)
  }

  quarantined(): Promise<readonly QuarantinedDescription[]> {
    return this.#data<readonly QuarantinedDescription[]>('/quarantine')
  }

  async forgetQuarantined(id: string): Promise<void> {
    await this.#data(`/quarantine/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  checks(): Promise<ChecksDescription> {
    return this.#data('/health/checks', { query: { limit: 1_000 } })
  }

  policies(): Promise<readonly PolicyDescription[]> {
    return this.#data('/policies')
  }

  check(name: string): Promise<CheckDescription> {
    return this.#data(`/health/checks/${encodeURIComponent(name)}`)
  }

  orderCheck(name: string, action: 'run' | 'pause' | 'resume' | 'heartbeat'): Promise<CheckDescription> {
    return this.#data(`/health/checks/${encodeURIComponent(name)}/${action}`, { method: 'POST' })
  }

  rules(): Promise<readonly RuleDescription[]> {
    return this.#data('/alerts/rules')
  }

  backtest(order: BacktestBody): Promise<BacktestDescription> {
    return this.#data('/alerts/rules/backtest', { method: 'POST', body: order, timeoutMs: 0 })
  }

  alertCoverage(): Promise<CoverageDescription> {
    return this.#data('/alerts/coverage', { timeoutMs: 0 })
  }

  alertReport(since: string | undefined): Promise<AlertReportDescription> {
    return this.#data('/alerts/report', { query: { since } })
  }

  cacheStats(): Promise<CacheDescription> {
    return this.#data('/cache/stats')
  }

  async cached(key: string): Promise<unknown> {
    const { value } = await this.#data<{ readonly value: unknown }>(cachePath(key))
    return value
  }

  cache(key: string, value: unknown, options: ValueOptions): Promise<StoredValue> {
    return this.#data(cachePath(key), { method: 'POST', body: { value, ...options } })
  }

  async uncache(key: string): Promise<void> {
    await this.#data(cachePath(key), { method: 'DELETE' })
  }

  clearCache(): Promise<Purged> {
    return this.#data('/cache/clear', { method: 'DELETE' })
  }

  purge(order: PurgeBody): Promise<Purged> {
    return this.#data('/cache/purge', { method: 'POST', body: order })
  }

  split(service: string): Promise<Split> {
    return this.#data<Split>(`/services/${encodeURIComponent(service)}/split`)
  }

  metricsCatalogue(): Promise<readonly MetricDescription[]> {
    return this.#data('/metrics/catalogue')
  }

  queryMetrics(query: MetricQuery): Promise<MetricSeries> {
    return this.#data('/metrics/query', { query: { ...query, from: Math.floor(query.from) } })
  }

  setSplit(service: string, shares: Split['shares']): Promise<Split> {
    const call: Call = shares === undefined ? { method: 'DELETE' } : { method: 'PUT', body: { shares } }
    return this.#data<Split>(`/services/${encodeURIComponent(service)}/split`, call)
  }

  async orderBreaker(service: string, action: 'isolate' | 'close' | 'reset'): Promise<void> {
    await this.#data(`/circuit-breakers/${encodeURIComponent(service)}/${action}`, { method: 'POST' })
  }

  async events({ service, type, level, limit }: EventFilter): Promise<readonly AnyEvent[]> {
    const events = await this.#data<readonly AnyEvent[]>('/events', { query: { service, type, level, limit } })
    return events.toSorted((a, b) => a.seq - b.seq)
  }

  explain(id: string): Promise<Explanation> {
    return this.#data(`/explain/${encodeURIComponent(id)}`)
  }

  followEvents({ service, type, level }: EventFilter, { afterSeq, onGap, signal }: FollowEvents): Promise<AsyncIterable<AnyEvent>> {
    const headers: Record<string, string> = afterSeq === undefined ? {} : { 'last-event-id': String(afterSeq) }
    return this.#stream('/events/stream', { query: { service, type, level }, headers, signal }, onGap)
  }

  logs(service: string, filter: LogFilter): Promise<readonly LogLine[]> {
    return this.#data(`/services/${encodeURIComponent(service)}/logs`, { query: { ...filter } })
  }

  followLogs(service: string, filter: LogFilter, signal: AbortSignal): Promise<AsyncIterable<LogLine>> {
    return this.#stream(`/services/${encodeURIComponent(service)}/logs`, { query: { ...filter, follow: true }, signal })
  }

  checkConfig(text?: string): Promise<readonly ConfigChange[]> {
    return this.#data('/config/check', { method: 'POST', ...(text !== undefined && { body: { text } }) })
  }

  reloadConfig(): Promise<readonly ConfigChange[]> {
    return this.#data('/config/reload', { method: 'POST', timeoutMs: 0 })
  }

  async down(): Promise<void> {
    await this.#data('/system/down', { method: 'POST' })
  }

  async createLoginCode(): Promise<string> {
    const { code } = await this.#data<{ readonly code: string }>('/auth/login-codes', { method: 'POST' })
    return code
  }

  createToken(role: string, ttlMs: number | undefined, subject: string | undefined): Promise<MintedToken> {
    return this.#data('/auth/token', { method: 'POST', body: { role, ttl: ttlMs, subject } })
  }

  createApiKey(name: string, role: string, ttlMs: number | undefined): Promise<ApiKeyDescription & { readonly key: string }> {
    return this.#data('/auth/api-keys', { method: 'POST', body: { name, role, ttl: ttlMs } })
  }

  apiKeys(): Promise<readonly ApiKeyDescription[]> {
    return this.#data('/auth/api-keys')
  }

  async revokeApiKey(id: string): Promise<void> {
    await this.#data(`/auth/api-keys/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #at(path: string): string {
    return `${this.url}${base}${path}`
  }

  async #data<T>(path: string, call: Call = {}): Promise<T> {
    const answer = await this.#send(path, call)
    return openEnvelope(answer.statusCode, await readJson(answer, this.#at(path)), `${call.method ?? 'GET'} ${this.#at(path)}`) as T
  }

  async #stream<T>(path: string, call: Call, onGap?: () => void): Promise<AsyncIterable<T>> {
    const answer = await this.#send(path, { ...call, headers: { ...call.headers, accept: 'text/event-stream' }, silenceMs: streamSilenceMax })
    if (answer.statusCode === 200) return this.#items<T>(answer, call.signal, onGap)
    openEnvelope(answer.statusCode, await readJson(answer, this.#at(path)), `GET ${this.#at(path)}`)
    throw new ApiError(answer.statusCode, 'unexpected_answer', `GET ${this.#at(path)}: expected a stream, got status ${answer.statusCode}`)
  }

  async *#items<T>(answer: Answer, signal: AbortSignal | undefined, onGap: (() => void) | undefined): AsyncGenerator<T> {
    try {
      for await (const event of readServerSentEvents(answer.body)) {
        if (event.event === 'error') throw streamError(event.data)
        if (event.event === 'gap') onGap?.()
        if (event.event === 'message') yield JSON.parse(event.data) as T
      }
    } catch (thrown) {
      if (signal?.aborted) return
      throw thrown instanceof errors.BodyTimeoutError ? this.#options.unreachable(thrown) : this.#translate(thrown)
    }
  }

  async #send(
    path: string,
    { method = 'GET', query = {}, body, headers, signal, timeoutMs = answerTimeout, silenceMs = timeoutMs }: Call,
  ): Promise<Answer> {
    const url = new URL(this.#at(path))
    for (const [key, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(key, String(value))
    try {
      return await request(url, {
        method,
        dispatcher: this.#agent,
        headersTimeout: timeoutMs,
        bodyTimeout: silenceMs,
        headers: {
          accept: 'application/json',
          ...credential(this.#options.token),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        ...(signal && { signal }),
      })
    } catch (thrown) {
      throw this.#translate(thrown)
    }
  }

  #translate(thrown: unknown): Error {
    if (thrown instanceof HoldfastError) return thrown
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    if (isNobodyThere(error)) return this.#options.unreachable(error)
    if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
      return new HoldfastError('timeout', `asked ${this.url} and got no answer within ${answerTimeout / 1_000} s`, { cause: error })
    }
    return error
  }
}

function credential(token: string | undefined): Record<string, string> {
  if (token === undefined) return {}
  return token.startsWith('hf_') ? { 'x-api-key': token } : { authorization: `Bearer ${token}` }
}

const nobodyThere = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
])

function isNobodyThere(error: Error): boolean {
  if (error instanceof AggregateError) return error.errors.every((inner) => inner instanceof Error && isNobodyThere(inner))
  return nobodyThere.has(codeOf(error) ?? '')
}

async function readJson(answer: Answer, url: string): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answerBytesMax) throw new HoldfastError('answer_too_large', `the answer of ${url} is larger than ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  if (text === '' && answer.statusCode === 204) return { success: true, data: undefined }
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new ApiError(answer.statusCode, 'unexpected_answer', `asked ${url} and got status ${answer.statusCode} with something that is not JSON`, {
      cause,
      hint: 'is this the address of a holdfast API?',
    })
  }
}

function openEnvelope(status: number, body: unknown, what: string): unknown {
  const envelope = isRecord(body) ? body : {}
  if (status < 400 && envelope.success === true) return envelope.data
  const error = isRecord(envelope.error) ? envelope.error : {}
  if (typeof error.code !== 'string' || typeof error.message !== 'string') {
    throw new ApiError(status, 'unexpected_answer', `${what}: got status ${status} and no holdfast answer`, {
      hint: 'is this the address of a holdfast API?',
    })
  }
  throw apiError(status, error.code, error.message, error)
}

function apiError(status: number, code: string, message: string, error: Record<string, unknown>): ApiError {
  const hint = typeof error.hint === 'string' ? error.hint : hintByStatus[status]
  return new ApiError(status, code, message, { ...(hint !== undefined && { hint }), ...(isRecord(error.details) && { details: error.details }) })
}

const hintByStatus: Readonly<Record<number, string>> = {
  401: 'give a token with --token or HOLDFAST_TOKEN',
  403: 'use a token with a higher role',
  429: 'wait a little and try again',
}

/** The server says why it ends a stream; a credential that has ended is for the user to mend, anything else is its own failure. */
function streamError(data: string): Error {
  const error: unknown = JSON.parse(data)
  const { code, message } = isRecord(error) ? error : {}
  if (typeof code !== 'string' || typeof message !== 'string') return new HoldfastError('stream_failed', 'the stream ended with an error')
  const status = code === 'unauthorized' ? 401 : 500
  return apiError(status, code, message, {})
}

function reasonsOf(body: unknown): readonly string[] {
  const error = isRecord(body) && isRecord(body.error) ? body.error : {}
  const details = isRecord(error.details) ? error.details : {}
  if (Array.isArray(details.reasons)) return details.reasons.map(String)
  return typeof error.message === 'string' ? [error.message] : ['not ready']
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
