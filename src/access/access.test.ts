import { createHmac } from 'node:crypto'
import { SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EventSink } from '../kernel/events.ts'
import { ms, seconds } from '../kernel/time.ts'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { MemoryStore } from '../store/index.ts'
import { Access } from './access.ts'
import { apiKeysMax } from './api-keys.ts'
import type { Principal } from './types.ts'

const secret = 'a secret of more than thirty-two bytes, for tests'
const key = new TextEncoder().encode(secret)
const by: Principal = { name: 'root', role: 'admin', credential: 'local', expiresAt: undefined }
const here = '192.0.2.7'

let clock: VirtualClock
let store: MemoryStore
let emitted: { type: string; message: string; data: unknown }[]
let unawaited: unknown[]
let access: Access
const opened: Access[] = []

const sink: EventSink = {
  emit(type, { message, data }) {
    emitted.push({ type, message, data })
    return 'id'
  },
}

async function open(): Promise<Access> {
  const made = new Access({
    config: { access: { jwtSecret: secret, rateLimit: { count: 600, per: ms(60_000) } }, data: '/nowhere' },
    store,
    events: sink,
    clock,
    onError: (error) => unawaited.push(error),
  })
  await made.start()
  opened.push(made)
  return made
}

beforeEach(async () => {
  clock = new VirtualClock()
  store = new MemoryStore()
  emitted = []
  unawaited = []
  await store.start()
  access = await open()
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop()
  expect(unawaited).toEqual([])
})

const now = (): number => Math.floor(clock.wallTime() / 1_000)
const claims = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: 'holdfast',
  aud: 'holdfast-api',
  sub: 'alice',
  jti: 'one',
  role: 'operator',
  iat: now(),
  exp: now() + 3_600,
  ...over,
})
const sign = (payload: Record<string, unknown>, header: Record<string, unknown> = {}, by_ = key): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: 'HS256', ...header }).sign(by_)
const verdict = async (token: string): Promise<string> => (await access.authenticate(token, here)).kind

describe('tokens', () => {
  it('prove who was named, for as long as was asked', async () => {
    const { token, expiresAt } = await access.mintToken({ subject: 'alice', role: 'viewer', ttl: seconds(120), by })
    expect(expiresAt).toBe(clock.wallTime() + 120_000)
    expect(await access.authenticate(token, here)).toMatchObject({ kind: 'proved', principal: { name: 'alice', role: 'viewer' } })
    await clock.advance(seconds(120 + 59))
    expect(await verdict(token)).toBe('proved')
    await clock.advance(seconds(2))
    expect(await verdict(token)).toBe('refused')
  })

  it('their making is an event that holds no token', async () => {
    const { token } = await access.mintToken({ subject: 'alice', role: 'viewer', by })
    expect(emitted).toMatchObject([{ type: 'token.created', data: { actor: 'root', role: 'viewer' } }])
    expect(JSON.stringify(emitted)).not.toContain(token.split('.')[2])
  })

  it('say how long a refused one would live as people say it', async () => {
    const refused = { message: 'could not make a token that lives 2 d', hint: 'ask for 1s to 24h' }
    await expect(access.mintToken({ subject: 'alice', role: 'viewer', ttl: ms(172_800_000), by })).rejects.toMatchObject(refused)
  })

  it.each([0, 999, 86_400_001, NaN, -5])('are not made for %s ms', async (ttl) => {
    await expect(access.mintToken({ subject: 'alice', role: 'viewer', ttl: ms(ttl), by })).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it.each(['', 'a\nb', '\u001b[31mred', ' lead', 'x'.repeat(101), '\u202egnp'])('are not made for the subject %j', async (subject) => {
    await expect(access.mintToken({ subject, role: 'viewer', by })).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it('a sound one made elsewhere with the same secret is accepted', async () => {
    expect(await verdict(await sign(claims()))).toBe('proved')
    expect(await verdict(await sign(claims({ aud: ['other', 'holdfast-api'] }), { typ: 'JWT' }))).toBe('proved')
  })

  describe('are refused', () => {
    const attacks: Record<string, () => Promise<string> | string> = {
      'with the algorithm none': () => new UnsecuredJWT(claims()).encode(),
      'with the algorithm none and a signature': () => `${new UnsecuredJWT(claims()).encode()}c2ln`,
      'with another HMAC than ours': () => sign(claims(), { alg: 'HS512' }, new TextEncoder().encode(secret.repeat(2))),
      'with an algorithm in other letters': () => handmade({ alg: 'hs256' }, claims()),
      'signed with another secret': () => sign(claims(), {}, new TextEncoder().encode('another secret of more than thirty-two bytes')),
      'for another audience': () => sign(claims({ aud: 'somebody-else' })),
      'from another issuer': () => sign(claims({ iss: 'somebody-else' })),
      'expired by 61 s': () => sign(claims({ iat: now() - 3_661, exp: now() - 61 })),
      'not valid before 61 s from now': () => sign(claims({ nbf: now() + 61 })),
      'from the future': () => sign(claims({ iat: now() + 61, exp: now() + 100 })),
      'that live longer than a day': () => sign(claims({ exp: now() + 86_401 })),
      'with a role nobody has': () => sign(claims({ role: 'root' })),
      'with a list of roles': () => sign(claims({ role: ['admin'] })),
      'with a subject that would break a log line': () => sign(claims({ sub: 'alice\n{"actor":"root"}' })),
      'with an id that would break a log line': () => sign(claims({ jti: 'one\ntwo' })),
      'with an exp that is text': () => sign(claims({ exp: String(now() + 60) })),
      'of another type': () => sign(claims(), { typ: 'at+jwt' }),
      'with critical extensions': () => handmade({ alg: 'HS256', crit: ['exp'], exp: 1 }, claims()),
      'with exp twice': () => handmadeText('{"alg":"HS256"}', JSON.stringify(claims()).replace('}', `,"exp":${now() + 80_000}}`)),
      'with a header that brings its own key': () => handmade({ alg: 'RS256', jwk: { kty: 'oct', k: 'AAAA' } }, claims()),
      'of 2 MiB': async () => `${await sign(claims())}${'a'.repeat(2 * 1_048_576)}`,
      'just above 8 KiB': () => sign(claims({ padding: 'x'.repeat(6_200) })),
      'that are none': () => 'nonsense',
    }
    for (const missing of ['iss', 'aud', 'sub', 'iat', 'exp', 'jti', 'role']) {
      attacks[`without ${missing}`] = () => sign(claims({ [missing]: undefined }))
    }
    it.each(Object.entries(attacks))('%s', async (_, make) => {
      expect(await verdict(await make())).toBe('refused')
    })

    it('when any one character is changed', async () => {
      const token = await sign(claims())
      const outcomes = new Set<string>()
      for (let at = 0; at < token.length; at++) {
        // Far apart, so that the limit for refused credentials does not answer in the verifier's place.
        await clock.advance(seconds(6))
        if (token[at] === '.') continue
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
        outcomes.add(await verdict(changed))
      }
      expect([...outcomes]).toEqual(['refused'])
    })
  })

  function handmade(header: object, payload: object): string {
    return handmadeText(JSON.stringify(header), JSON.stringify(payload))
  }
  function handmadeText(header: string, payload: string): string {
    const signed = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }
})

describe('the local key', () => {
  it('is an admin, and another in each process', async () => {
    expect(await access.authenticate(access.localToken(), '127.0.0.1')).toMatchObject({ kind: 'proved', principal: { name: 'cli', role: 'admin' } })
    const other = await open()
    expect(await access.authenticate(other.localToken(), '127.0.0.1')).toMatchObject({ kind: 'refused' })
  })

  it('ends with the process', async () => {
    const token = access.localToken()
    await access.stop()
    expect(await verdict(token)).toBe('refused')
    expect(() => access.localToken()).toThrow('has not started')
  })
})

describe('API keys', () => {
  const create = (over: { role?: 'viewer' | 'admin'; ttl?: number } = {}) =>
    access.createApiKey({ name: 'ci', role: over.role ?? 'viewer', by, ...(over.ttl !== undefined && { ttl: ms(over.ttl) }) })

  it('prove their role until they expire', async () => {
    const made = await create({ ttl: 60_000 })
    expect(await access.authenticate(made.key, here)).toMatchObject({
      kind: 'proved',
      principal: { name: 'apikey:ci', role: 'viewer', credential: `apikey:${made.keyId}` },
    })
    await clock.advance(seconds(60))
    expect(await access.authenticate(made.key, here)).toEqual({ kind: 'refused', reason: 'the API key has expired' })
  })

  it('live 90 days unless asked, and never more than a year', async () => {
    const made = await create()
    expect(made.expiresAt - clock.wallTime()).toBe(90 * 86_400_000)
    await expect(create({ ttl: 365 * 86_400_000 + 1 })).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it('neither the store, nor the list, nor an event holds the secret', async () => {
    const made = await create()
    const kept = JSON.stringify([await store.list(''), access.apiKeys(), emitted])
    expect(kept).toContain(made.keyId)
    expect(kept).not.toContain(made.key.split('_')[2])
  })

  it('with the right id and a wrong secret are refused in the same words as unknown ones', async () => {
    const [first, second] = [await create(), await create()]
    await access.revokeApiKey(second.keyId, by)
    const { formatApiKey } = await import('./core/api-key.ts')
    const forged = formatApiKey(new Uint8Array(10), new Uint8Array(32).fill(3))
    expect(await access.authenticate(second.key, here)).toEqual(await access.authenticate(forged.key, here))
    // The checksum covers id and secret together, so a forger has to make it anew: here with the id of a living key.
    const stolenId = Uint8Array.from(Array.from(first.keyId), (char) => 'abcdefghjkmnpqrstvwxyz0123456789'.indexOf(char))
    const mixed = formatApiKey(stolenId, new Uint8Array(32).fill(3))
    expect(mixed.keyId).toBe(first.keyId)
    expect(await access.authenticate(mixed.key, here)).toEqual({ kind: 'refused', reason: 'the API key is unknown' })
  })

  it('a mistyped one is told so', async () => {
    const { key: made } = await create()
    const typo = made.slice(0, -1) + (made.endsWith('0') ? '1' : '0')
    expect(await access.authenticate(typo, here)).toMatchObject({ kind: 'refused', reason: expect.stringContaining('mistyped') as string })
  })

  it('revoked ones are refused at once, here and on other nodes, and after a restart', async () => {
    const other = await open()
    const made = await create()
    await new Promise((resolve) => setImmediate(resolve))
    expect((await other.authenticate(made.key, here)).kind).toBe('proved')
    const outcome = await access.authenticate(made.key, here)
    await access.revokeApiKey(made.keyId, by)
    expect((await access.authenticate(made.key, here)).kind).toBe('refused')
    await new Promise((resolve) => setImmediate(resolve))
    expect((await other.authenticate(made.key, here)).kind).toBe('refused')
    expect((await (await open()).authenticate(made.key, here)).kind).toBe('refused')
    expect(outcome.kind === 'proved' && access.holds(outcome.principal)).toBe(false)
    await expect(access.revokeApiKey(made.keyId, by)).rejects.toMatchObject({ code: 'unknown_api_key' })
  })

  it('survive a restart', async () => {
    const made = await create()
    await access.stop()
    expect((await (await open()).authenticate(made.key, here)).kind).toBe('proved')
  })

  it('remember their last use to the minute, writing at most once a minute', async () => {
    const made = await create()
    expect(access.apiKeys()[0]?.lastUsedAt).toBeUndefined()
    const before = (await store.commit({ writes: [] })).revision
    for (let i = 0; i < 50; i++) await access.authenticate(made.key, here)
    await new Promise((resolve) => setImmediate(resolve))
    expect((await store.commit({ writes: [] })).revision - before).toBe(1)
    const used = access.apiKeys()[0]?.lastUsedAt ?? 0
    expect(used % 60_000).toBe(0)
    expect(clock.wallTime() - used).toBeLessThan(60_000)
  })

  it('a record in the store that is none is reported and lets nobody in', async () => {
    const made = await create()
    const writes = ['abcdefghjk', made.keyId].map((keyId) => ({ put: `apikeys/${keyId}`, value: { role: 'admin' } }))
    await store.commit({ writes })
    await new Promise((resolve) => setImmediate(resolve))
    expect(unawaited.splice(0)).toMatchObject([{ code: 'apikey_unreadable' }, { code: 'apikey_unreadable' }])
    expect(access.apiKeys()).toEqual([])
    expect((await access.authenticate(made.key, here)).kind).toBe('refused')
  })

  it('there is a limit to them', async () => {
    const writes = Array.from({ length: apiKeysMax }, (_, i) => ({
      put: `apikeys/${String(i).padStart(10, 'a')}`,
      value: { name: 'n', role: 'viewer', secretHash: '0'.repeat(64), createdAt: i, createdBy: 'x', expiresAt: 1 },
    }))
    for (let i = 0; i < writes.length; i += 100) await store.commit({ writes: writes.slice(i, i + 100) })
    await new Promise((resolve) => setImmediate(resolve))
    await expect(create()).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('login codes', () => {
  it('a sign-in is renewed while it lasts, with the role it has; what was made by hand is not', async () => {
    const principalOf = async (token: string) => {
      const outcome = await access.authenticate(token, here)
      if (outcome.kind !== 'proved') throw new Error(`it is ${outcome.kind}`)
      return outcome.principal
    }
    const byHand = await principalOf(
      (await access.mintToken({ subject: 'bob', role: 'viewer', by: { name: 'cli', role: 'admin', credential: 'local', expiresAt: undefined } }))
        .token,
    )
    await expect(access.renew(byHand)).rejects.toMatchObject({ code: 'not_renewable' })
    let { token } = await access.login(access.createLoginCode('alice', 'operator').code, here)
    for (let day = 0; day < 7; day++) {
      await clock.advance(ms(23 * 3_600_000))
      const minted = await access.renew(await principalOf(token))
      expect(minted).toMatchObject({ subject: 'alice', role: 'operator' })
      token = minted.token
    }
    // Seven times 23 hours are over: 7 hours of the seven days are left, and the last token ends with them.
    expect((await principalOf(token)).expiresAt).toBeLessThanOrEqual(clock.wallTime() + 7 * 3_600_000 + 61_000)
    await clock.advance(ms(7 * 3_600_000))
    await expect(access.renew(await principalOf(token))).rejects.toMatchObject({ code: 'not_renewable' })
  })

  it('are exchanged once for a token', async () => {
    const { code } = access.createLoginCode()
    const minted = await access.login(code, here)
    expect(await access.authenticate(minted.token, here)).toMatchObject({ kind: 'proved', principal: { name: 'admin', role: 'admin' } })
    await expect(access.login(code, here)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('are worth nothing after a quarter of an hour', async () => {
    const { code } = access.createLoginCode()
    await clock.advance(seconds(15 * 60))
    await expect(access.login(code, here)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  it('guessing them is limited', async () => {
    for (let i = 0; i < 10; i++) await expect(access.login(`guess ${i}`, here)).rejects.toMatchObject({ code: 'unauthorized' })
    const { code } = access.createLoginCode()
    await expect(access.login(code, here)).rejects.toMatchObject({ code: 'rate_limited' })
    expect(await access.login(code, '192.0.2.8')).toMatchObject({ role: 'admin' })
  })
})

describe('refused credentials', () => {
  it('ten a minute are answered; then the address waits, whatever it shows', async () => {
    for (let i = 0; i < 10; i++) expect(await verdict(`guess ${i}`)).toBe('refused')
    expect(await access.authenticate('guess', here)).toMatchObject({ kind: 'blocked', retryAfterMs: 6_000 })
    const fresh = await access.mintToken({ subject: 'bob', role: 'viewer', by })
    expect(await verdict(fresh.token)).toBe('blocked')
    await clock.advance(seconds(6))
    expect(await verdict(fresh.token)).toBe('proved')
  })

  it('others at the address who were let in before are not locked out', async () => {
    const { token } = await access.mintToken({ subject: 'bob', role: 'viewer', by })
    expect(await verdict(token)).toBe('proved')
    for (let i = 0; i < 20; i++) await verdict(`guess ${i}`)
    expect(await verdict(token)).toBe('proved')
    expect(await verdict('guess')).toBe('blocked')
  })

  it('the address next door is not affected, the same IPv6 network is', async () => {
    for (let i = 0; i < 10; i++) await access.authenticate(`guess ${i}`, '2001:db8::1')
    expect((await access.authenticate('guess', '2001:db8::2')).kind).toBe('blocked')
    expect((await access.authenticate('guess', '2001:db8:0:1::1')).kind).toBe('refused')
  })

  it('showing none is no failure', async () => {
    for (let i = 0; i < 100; i++) expect((await access.authenticate(undefined, here)).kind).toBe('anonymous')
    expect(await verdict('guess')).toBe('refused')
  })
})
