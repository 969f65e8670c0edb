import { describe, expect, it } from 'vitest'
import { loadAcmeClient, refuseBusy } from './acme-client.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const answer = (status: number, retryAfter?: string, data: unknown = ''): Parameters<typeof refuseBusy>[0] => ({
  status,
  headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  data,
})
const refused = (...of: Parameters<typeof answer>): unknown => {
  try {
    refuseBusy(answer(...of), now)
  } catch (error) {
    return { message: (error as Error).message, details: (error as { details: unknown }).details }
  }
  return undefined
}

describe('an ACME authority', () => {
  it('is heard when it has no time for us', () => {
    expect(refused(200, '5')).toBeUndefined()
    expect(refused(404)).toBeUndefined()
    expect(refused(503)).toEqual({ message: 'the authority answered 503', details: { status: 503 } })
    const limited = { detail: 'too many new orders recently' }
    expect(refused(429, '120', limited)).toEqual({
      message: 'the authority answered 429: too many new orders recently',
      details: { status: 429, retryAfterMs: 120_000 },
    })
    expect(refused(503, 'Thu, 01 Jan 2026 00:01:00 GMT')).toMatchObject({ details: { retryAfterMs: 60_000 } })
    expect(refused(503, 'Wed, 31 Dec 2025 00:00:00 GMT')).toMatchObject({ details: { status: 503 } })
    expect(refused(503, 'soon')).toEqual({ message: 'the authority answered 503', details: { status: 503 } })
  })

  it('that is not there is named with the reason, at once', async () => {
    const { Client, crypto } = await loadAcmeClient(() => now)
    const client = new Client({ directoryUrl: 'https://127.0.0.1:1/dir', accountKey: await crypto.createPrivateEcdsaKey() })
    await expect(client.getTermsOfServiceUrl()).rejects.toThrow('ECONNREFUSED')
  })
})
