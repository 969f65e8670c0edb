import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ageOf, readSession, sessionLines, signedPart } from './session-cookie.ts'

const mac = 'abcdefghijklmnopqrstuv'

describe('the value of a session cookie', () => {
  it('reads back as it was written, in one spelling only', () => {
    const value = fc.record({
      endpoint: fc.stringMatching(/^[\w-]{11}$/),
      epoch: fc.integer({ min: 0, max: 4_000_000_000 }),
      client: fc.integer({ min: 0, max: 0xffffffff }),
    })
    fc.assert(
      fc.property(value, (each) => {
        expect(readSession(`${signedPart(each)}.${mac}`)).toMatchObject({ ...each, mac })
      }),
    )
  })

  it.each([
    '',
    'x',
    `eeeeeeeeeee.1.1.${mac}x`,
    `eeeeeeeeeee.01.1.${mac}`,
    `eeeeeeeeeee.1.1 .${mac}`,
    `eeeeeeeeeee.1.zzzzzzz.${mac}`,
    `eeeeeeeeee.1.1.${mac}`,
    `eeeeeeeeeee.1.1.1.${mac}`,
  ])('is not %j', (text) => {
    expect(readSession(text)).toBeUndefined()
  })

  it('ages', () => {
    expect([0, 49, 50, 99, 100, -5].map((age) => ageOf(age, 100))).toEqual(['fresh', 'fresh', 'renew', 'renew', 'expired', 'fresh'])
    expect(ageOf(1e9, undefined)).toBe('fresh')
  })

  it('is told to browsers with what keeps it from scripts, other sites and shared caches', () => {
    const lines = 'Path=/; HttpOnly; SameSite=Lax\r\nCache-Control: private\r\n'
    expect(sessionLines({ cookie: 'hf', drain: false }, 'v', false)).toBe(`Set-Cookie: hf=v; ${lines}`)
    expect(sessionLines({ cookie: 'hf', drain: false, ttlSeconds: 60 }, 'v', true)).toContain('; Max-Age=60; HttpOnly; SameSite=Lax; Secure\r\n')
  })
})
