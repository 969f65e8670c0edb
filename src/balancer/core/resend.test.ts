import { describe, expect, it } from 'vitest'
import { budgetFree, mayResend, neverRead, oneReadBytesMax, type Attempted, type Failure } from './resend.ts'

const fresh: Attempted = { idempotent: true, replayable: true, resent: 0, attemptsMax: 1, caughtInDeath: false, budgetFree: true }
const kinds = ['notConnected', 'notReceived', 'staleConnection', 'died', 'timedOut'] as const
const may = (kind: Failure['kind'], attempted: Partial<Attempted>): boolean => mayResend({ kind }, { ...fresh, ...attempted })
/** One letter per kind, in the order of `kinds`: y may be sent again, n not. */
const row = (attempted: Partial<Attempted>): string => kinds.map((kind) => (may(kind, attempted) ? 'y' : 'n')).join('')

describe('sending again', () => {
  it.each<[string, Partial<Attempted>, string]>([
    ['a GET, the first time', {}, 'yyyyn'],
    ['a POST', { idempotent: false }, 'yynnn'],
    ['a body that is no longer at hand', { replayable: false }, 'nnnnn'],
    ['retries switched off', { attemptsMax: 0 }, 'yynnn'],
    ['retries switched off, in a death', { attemptsMax: 0, caughtInDeath: true }, 'yynnn'],
    ['the budget used up', { budgetFree: false }, 'yynnn'],
    ['the budget used up, in a death', { budgetFree: false, caughtInDeath: true }, 'yyyyn'],
    ['after one retry', { resent: 1 }, 'yynnn'],
    ['after one retry, in a death', { resent: 1, caughtInDeath: true }, 'yyyyn'],
    ['after two retries, in a death', { resent: 2, caughtInDeath: true }, 'ynnnn'],
    ['after two retries of three', { resent: 2, attemptsMax: 3 }, 'ynyyn'],
    ['after three retries of three', { resent: 3, attemptsMax: 3, caughtInDeath: true }, 'ynnnn'],
    ['a POST in a death', { idempotent: false, caughtInDeath: true }, 'yynnn'],
  ])('%s', (_what, attempted, expected) => {
    expect(row(attempted)).toBe(expected)
  })

  it('the budget is a share of what is active, and never less than three', () => {
    expect(budgetFree(2, 0, 0.2)).toBe(true)
    expect(budgetFree(3, 0, 0.2)).toBe(false)
    expect(budgetFree(19, 100, 0.2)).toBe(true)
    expect(budgetFree(20, 100, 0.2)).toBe(false)
  })
})

describe('a request that a process never read', () => {
  it('is no larger than the smallest first read of the servers in use', () => {
    expect(oneReadBytesMax).toBeLessThanOrEqual(1_024)
  })

  const broken = { sentAt: 10, exitedAt: Infinity, killed: false, reset: false, oneRead: true, answerBegun: false }
  it.each([
    ['left after the exit', { exitedAt: 9 }, true],
    ['left before the exit', { exitedAt: 11 }, false],
    ['killed, reset, small: its bytes lay unread in the kernel', { exitedAt: 11, killed: true, reset: true }, true],
    ['killed, but the connection closed in good order: it had been read', { exitedAt: 11, killed: true }, false],
    ['reset by a process that ended by itself, which may have done so on purpose', { exitedAt: 11, reset: true }, false],
    ['killed and reset, but too large for one read: a part may have been read', { exitedAt: 11, killed: true, reset: true, oneRead: false }, false],
    ['an answer had begun, so it was read', { exitedAt: 9, killed: true, reset: true, answerBegun: true }, false],
  ])('%s', (_, facts, expected) => {
    expect(neverRead({ ...broken, ...facts })).toBe(expected)
  })
})
