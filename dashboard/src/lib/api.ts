/** Speaks to the REST API: the envelope off, the credential on, and every refusal an `ApiError` that says what to do. */
import { signal } from '@preact/signals'

const base = '/api/infrastructure'
/** An answer that has not come by then never will; restarts and drains take their time. */
const answerMs = 150_000

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly hint: string | undefined
  readonly details: unknown

  constructor(status: number, { code, message, hint, details }: { code: string; message: string; hint?: string | undefined; details?: unknown }) {
    super(message)
    this.status = status
    this.code = code
    this.hint = hint
    this.details = details
  }
}

export const token = signal<string | undefined>(undefined)
/** Called when the credential is refused. */
let onRefused: (why: string) => void = () => undefined
export function whenRefused(listener: (why: string) => void): void {
  onRefused = listener
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

export interface Ask {
  readonly query?: Query
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Of a program that answers beside the API: `/api/v2/alerts` begins at the root. */
  readonly atRoot?: boolean
  /** Another credential than the one that is signed in with. */
  readonly as?: string
}

export interface Answered<T> {
  readonly data: T
  readonly headers: Headers
}

export function urlOf(path: string, query: Query = {}, atRoot = false): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, String(value)]]))
  const search = new URLSearchParams(given).toString()
  return `${atRoot ? '' : base}${path}${search === '' ? '' : `?${search}`}`
}

/** The answer as it comes: for streams and files. */
export async function fetchRaw(method: string, path: string, { query, body, headers, signal, atRoot, as }: Ask = {}): Promise<Response> {
  const shown = as ?? token.peek()
  const response = await fetch(urlOf(path, query, atRoot), {
    method,
    cache: 'no-store',
    credentials: 'omit',
    headers: {
      ...(shown !== undefined && (shown.startsWith('hf_') ? { 'x-api-key': shown } : { authorization: `Bearer ${shown}` })),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: signal ?? AbortSignal.timeout(answerMs),
  }).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'the control process cannot be reached',
      hint: 'services and the balancer go on without it',
    })
  })
  if (response.ok) return response
  const refused = await errorOf(response)
  if (response.status === 401 && shown !== undefined && token.peek() === shown) onRefused(refused.message)
  throw refused
}

async function errorOf(response: Response): Promise<ApiError> {
  const unread = { code: 'unreadable', message: `the answer was ${response.status} ${response.statusText}` }
  try {
    const { error } = (await response.json()) as { error?: { code: string; message: string; hint?: string; details?: unknown } }
    return new ApiError(response.status, error ?? unread)
  } catch {
    return new ApiError(response.status, unread) // no JSON: something between us and the API has answered
  }
}

export async function ask<T>(method: string, path: string, options?: Ask): Promise<Answered<T>> {
  const response = await fetchRaw(method, path, options)
  const whole = (await response.json()) as { data: T }
  return { data: options?.atRoot === true ? (whole as T) : whole.data, headers: response.headers }
}

export const get = async <T>(path: string, query?: Query, options?: Ask): Promise<T> =>
  (await ask<T>('GET', path, { ...options, ...(query && { query }) })).data
export const post = async <T>(path: string, body?: unknown, options?: Ask): Promise<T> => (await ask<T>('POST', path, { ...options, body })).data
export const put = async <T>(path: string, body?: unknown, options?: Ask): Promise<T> => (await ask<T>('PUT', path, { ...options, body })).data
export const del = async <T>(path: string, options?: Ask): Promise<T> => (await ask<T>('DELETE', path, options)).data

export const sayError = (error: unknown): string => (error instanceof Error ? error.message : String(error))
export const hintOf = (error: unknown): string | undefined => (error instanceof ApiError ? error.hint : undefined)
