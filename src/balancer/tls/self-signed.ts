/**
 * A certificate for development, signed by itself: an X.509 v3 certificate in DER, written piece by piece. No browser believes it until it
 * is told to.
 *
 *   Certificate = [ [version, serial, algorithm, issuer, validity, subject, public key, extensions], algorithm, signature ]
 */
import { sign, type KeyObject } from 'node:crypto'
import { isIPv4, isIP } from 'node:net'

export interface SelfSignedOptions {
  /** Names and addresses it is good for; the first one is its common name. */
  readonly hosts: readonly string[]
  /** A key pair on P-256. */
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
  /** At most 20 bytes; taken as a positive number. */
  readonly serial: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
}

/** The certificate as PEM. */
export function selfSigned(options: SelfSignedOptions): string {
  const name = sequence(set(sequence(oid('2.5.4.3'), tagged(0x0c, Buffer.from(options.hosts[0] ?? 'localhost')))))
  const algorithm = sequence(oid('1.2.840.10045.4.3.2'))
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(options.serial),
    algorithm,
    name,
    sequence(time(options.notBefore), time(options.notAfter)),
    name,
    options.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(alternativeNames(options.hosts), extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))))),
  )
  const der = sequence(content, algorithm, tagged(0x03, Buffer.from([0]), sign('sha256', content, options.privateKey)))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function alternativeNames(hosts: readonly string[]): Buffer {
  return extension(
    '2.5.29.17',
    sequence(...hosts.map((host) => (isIP(host) === 0 ? tagged(0x82, Buffer.from(host)) : tagged(0x87, addressBytes(host))))),
  )
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const left = groups(head)
  const right = groups(tail)
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 255]))
}

const extension = (id: string, value: Buffer): Buffer => sequence(oid(id), tagged(0x04, value))
const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts)
const set = (...parts: readonly Buffer[]): Buffer => tagged(0x31, ...parts)

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])
}

function lengthOf(length: number): Buffer {
  if (length < 128) return Buffer.from([length])
  return length < 256 ? Buffer.from([0x81, length]) : Buffer.from([0x82, length >> 8, length & 255])
}

/** A first bit that is set would make it negative. */
function integer(bytes: Buffer): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const short = bytes.subarray(start)
  return (short[0] ?? 0) >= 128 ? tagged(0x02, Buffer.from([0]), short) : tagged(0x02, short)
}

/** GeneralizedTime for years from 2050 on, UTCTime before (RFC 5280 §4.1.2.5). */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/\D/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits))
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(value: number): number[] {
  const bytes = [value & 127]
  for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 127) | 128)
  return bytes
}
