/**
 * Asks a Prometheus server by its HTTP API. Every question ends within its time and its answer within its size; a server that refuses says why in its own
 * words, one that is not there is named by its address without the password in it.
 */
import { request } from 'undici'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import { outbound } from '../kernel/outbound.ts'
import { refusalOf, samplesOf, seriesOf } from './core/prometheus-answer.ts'
import type { PrometheusQueries } from './ports.ts'
import type { Sample, Series } from './types.ts'

export interface PrometheusReaderOptions {
  /** `http://prometheus:9090`, `https://user:password@metrics.example.com/prometheus`. */
  readonly url: string
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined
  /** For a whole question. @default 5,000 */
  readonly timeoutMs?: number
}

const timeoutDefaultMs = 5_000
/** A rule that reads more than this at a time was not meant. */
const answerBytesMax = 8 * 1_048_576

export class PrometheusReader implements PrometheusQueries {
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #timeoutMs: number

  constructor({ url, token, timeoutMs = timeoutDefaultMs }: PrometheusReaderOptions) {
    this.#url = new URL(url.endsWith('/') ? url : `${url}/`)
    const { username, password } = this.#url
    this.#url.username = this.#url.password = ''
    const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
    this.#headers = {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(token !== undefined ? { authorization: `Bearer ${token}` } : username !== '' && { authorization: `Basic ${basic}` }),
    }
    this.#timeoutMs = timeoutMs
  }

  async query(expression: string, at?: number): Promise<readonly Sample[]> {
    return samplesOf(await this.#ask('api/v1/query', expression, at === undefined ? {} : { time: String(at / 1_000) }))
  }

  async range(expression: string, { from, to, step }: { from: number; to: number; step: number }): Promise<readonly Series[]> {
    const times = { start: String(from / 1_000), end: String(to / 1_000), step: String(step / 1_000) }
    return seriesOf(await this.#ask('api/v1/query_range', expression, times))
  }

  /** By POST: an expression may be longer than an address. */
  async #ask(path: string, query: string, times: Readonly<Record<string, string>>): Promise<unknown> {
    const body = new URLSearchParams({ query, ...times, timeout: `${this.#timeoutMs}ms` }).toString()
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      const answer = await request(new URL(path, this.#url), { dispatcher: outbound, method: 'POST', headers: this.#headers, body, signal })
      return this.#read(query, answer.statusCode, await textOf(answer.body))
    } catch (cause) {
      if (cause instanceof HoldfastError) throw cause
      const got = signal.aborted ? `no answer within ${this.#timeoutMs} ms` : messageOf(cause)
      throw new HoldfastError('prometheus_unreachable', `asked Prometheus at ${this.#url.href} for ${short(query)}, got: ${got}`, { cause })
    }
  }

  #read(query: string, status: number, text: string): unknown {
    const parsed = parse(text)
    const refusal = refusalOf(parsed)
    if (refusal !== undefined) {
      const { reason, type } = refusal
      // It did not get to the expression: too busy, or told to stop.
      const code = type === 'bad_data' || type === 'execution' ? 'prometheus_query' : 'prometheus_unreachable'
      throw new HoldfastError(code, `asked Prometheus at ${this.#url.href} for ${short(query)}, got: ${reason}`, { details: { reason, type } })
    }
    if (status === 200 && parsed !== undefined) return parsed
    throw new HoldfastError('prometheus_unreachable', `asked Prometheus at ${this.#url.href} for ${short(query)}, got: status ${status}`, {
      hint: status === 401 || status === 403 ? 'give it a user and a password, or a token' : 'is this the address of a Prometheus server?',
      details: { status },
    })
  }
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > answerBytesMax) throw new Error(`an answer of more than ${answerBytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // a page of something else; the status says more
  }
}

const short = (query: string): string => (query.length > 200 ? `${query.slice(0, 200)}…` : query)
