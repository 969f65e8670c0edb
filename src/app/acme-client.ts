/**
 * The package that speaks to an ACME authority, loaded when it is needed. Its own tries are switched off: they wait for hours when the
 * authority asks for that, with nobody told, and lose the reason when nothing answers. What fails ends the order, is told, and the order
 * is tried again by ourselves.
 */
import type * as acmeClient from 'acme-client'
import { HoldfastError } from '../kernel/errors.ts'

/** Of one request to the authority. */
const requestTimeoutMs = 30_000

type AcmeClient = Pick<typeof acmeClient, 'Client' | 'crypto'>

interface Answer {
  readonly status: number
  readonly headers: object
  readonly data: unknown
}

export async function loadAcmeClient(wallTime: () => number): Promise<AcmeClient> {
  const client = await load()
  const { defaults, interceptors } = client.axios
  defaults.timeout = requestTimeoutMs
  interceptors.request.clear()
  interceptors.response.clear()
  interceptors.response.use((answer) => {
    refuseBusy(answer, wallTime())
    return answer
  })
  return client
}

async function load(): Promise<typeof acmeClient> {
  try {
    return await import('acme-client')
  } catch (cause) {
    throw new HoldfastError('package_missing', 'loading acme-client failed: certificates by ACME need it', { hint: 'npm install acme-client', cause })
  }
}

/** An authority that is overloaded, or was asked too often: `details.retryAfterMs` when it says when to come again. */
export function refuseBusy({ status, headers, data }: Answer, now: number): void {
  if (status !== 429 && status < 500) return
  const after = retryAfter((headers as Record<string, unknown>)['retry-after'], now)
  const detail = (data as { detail?: unknown } | null)?.detail
  throw new HoldfastError('acme_busy', `the authority answered ${status}${typeof detail === 'string' ? `: ${detail}` : ''}`, {
    details: { status, ...(after !== undefined && { retryAfterMs: after }) },
  })
}

/** Seconds, or a date. */
function retryAfter(value: unknown, now: number): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  return ms > 0 ? ms : undefined
}
