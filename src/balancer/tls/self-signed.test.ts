import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { selfSigned } from './self-signed.ts'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const options = {
  ...pair,
  hosts: ['localhost', '127.0.0.1', '::1', '2001:db8::7'],
  serial: Buffer.from('00ff01', 'hex'),
  notBefore: new Date('2030-01-02T03:04:05Z'),
  notAfter: new Date('2060-01-02T03:04:05Z'),
}

describe('a certificate for development', () => {
  it('is what OpenSSL reads as signed by itself, for these hosts and times', () => {
    const read = new X509Certificate(selfSigned(options))
    expect(read.verify(pair.publicKey)).toBe(true)
    expect(read.checkIssued(read)).toBe(true)
    expect(read.checkPrivateKey(pair.privateKey)).toBe(true)
    expect(read.subject).toBe('CN=localhost')
    expect(read.serialNumber).toBe('FF01')
    expect(read.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:0:7')
    expect([read.validFrom, read.validTo]).toEqual(['Jan  2 03:04:05 2030 GMT', 'Jan  2 03:04:05 2060 GMT'])
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  it('is long enough for lengths of two bytes', () => {
    const hosts = Array.from({ length: 40 }, (_, index) => `host-${index}.example.test`)
    const read = new X509Certificate(selfSigned({ ...options, hosts }))
    expect(read.verify(pair.publicKey)).toBe(true)
    expect(read.checkHost('host-39.example.test')).toBe('host-39.example.test')
  })
})
