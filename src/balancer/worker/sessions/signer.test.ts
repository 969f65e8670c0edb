import { describe, expect, it } from 'vitest'
import { SessionSigner, sessionKeyBytes } from './signer.ts'

const key = (byte: number): Buffer => Buffer.alloc(sessionKeyBytes, byte)
const value = { endpoint: 'abcdefghijk', epoch: 1_700_000_000, client: 4_294_967_295 }

describe('a session cookie', () => {
  const signer = new SessionSigner(Buffer.concat([key(2), key(1)]))

  it('of this key and the one before counts; of any other, or of another service, it does not', () => {
    expect(signer.check('shop', signer.sign('shop', value))).toMatchObject({ ...value, current: true })
    expect(signer.check('shop', new SessionSigner(key(1)).sign('shop', value))).toMatchObject({ ...value, current: false })
    expect(signer.check('shop', new SessionSigner(key(3)).sign('shop', value))).toBeUndefined()
    expect(signer.check('chat', signer.sign('shop', value))).toBeUndefined()
  })

  it('of which one sign was changed does not count', () => {
    const text = signer.sign('shop', value)
    for (let i = 0; i < text.length; i++) {
      const other = text[i] === 'a' ? 'b' : 'a'
      expect(signer.check('shop', text.slice(0, i) + other + text.slice(i + 1))).toBeUndefined()
    }
  })

  it('names endpoints so that nobody reads an address out of it', () => {
    const [name, before] = signer.namesOf('shop', '10.0.0.5:3000')
    expect(name).toMatch(/^[\w-]{11}$/)
    expect(before).not.toBe(name)
    expect(new SessionSigner(key(2)).namesOf('shop', '10.0.0.5:3000')).toEqual([name])
  })
})
