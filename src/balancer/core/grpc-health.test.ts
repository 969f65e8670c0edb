/** The gRPC health protocol as bytes. What a real server makes of them is tested in `test/integration/http2-health.test.ts`. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { healthFailure, healthQuestion } from './grpc-health.ts'

const message = (...bytes: number[]): Buffer => Buffer.from([0, 0, 0, 0, bytes.length, ...bytes])
const answer = (body: Buffer, fields: Record<string, string> = { 'grpc-status': '0' }, status = 200): string | undefined =>
  healthFailure({ status, fields, body })

describe('the question', () => {
  it('has the name of the service behind its length, and nothing for the whole server', () => {
    expect(healthQuestion('')).toEqual(Buffer.from([0, 0, 0, 0, 0]))
    expect(healthQuestion('a.B')).toEqual(Buffer.from([0, 0, 0, 0, 5, 0x0a, 3, 0x61, 0x2e, 0x42]))
    expect(healthQuestion('x'.repeat(200)).subarray(0, 8)).toEqual(Buffer.from([0, 0, 0, 0, 203, 0x0a, 0xc8, 1]))
  })
})

describe('the answer', () => {
  it.each([
    [message(8, 1), undefined],
    [message(8, 2), 'answered NOT_SERVING'],
    [message(8, 3), 'answered SERVICE_UNKNOWN'],
    [message(), 'answered UNKNOWN'],
    // A field of a later version in front.
    [message(0x12, 2, 65, 66, 8, 1), undefined],
    [Buffer.alloc(0), 'answered what cannot be read'],
    [message(8), 'answered what cannot be read'],
    [message(0x12, 9, 65), 'answered what cannot be read'],
    [Buffer.from([1, 0, 0, 0, 2, 8, 1]), 'answered what cannot be read'],
    [Buffer.from([0, 0, 0, 0, 9, 8, 1]), 'answered what cannot be read'],
  ])('%o: %s', (body, failure) => {
    expect(answer(body)).toBe(failure)
  })

  it('is none when the call failed', () => {
    expect(answer(message(8, 1), { 'grpc-status': '12', 'grpc-message': '' })).toBe('ended with UNIMPLEMENTED')
    expect(answer(message(8, 1), { 'grpc-status': '5', 'grpc-message': 'who?' })).toBe('ended with NOT_FOUND: who?')
    expect(answer(message(8, 1), {})).toBe('gave an answer that is not of gRPC')
    expect(answer(message(8, 1), { 'grpc-status': '0' }, 503)).toBe('answered HTTP 503')
  })

  it('of random bytes is never taken for a good one by accident of reading past its end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const failure = answer(Buffer.from(bytes))
        if (failure === undefined) expect(Buffer.from(bytes).includes(Buffer.from([8, 1]))).toBe(true)
      }),
    )
  })
})
