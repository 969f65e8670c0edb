/**
 * The PROXY protocol, versions 1 and 2: what a proxy in front says of a connection before its first byte (HAProxy's `proxy-protocol.txt`).
 *
 *   PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n        1: a line of at most 107 bytes
 *   signature · version, command · family · length · addresses · TLVs        2: binary
 *
 * Nothing is guessed: what is not a header, or one that is cut, too long or damaged, is refused.
 */
import ipaddr from 'ipaddr.js'
import type { ProxyProtocolVersion } from '../../config/types.ts'

export interface ProxyAddress {
  readonly address: string
  readonly port: number
}

export interface ProxyHeader {
  /** Bytes of it. */
  readonly length: number
  /** Who connected to the proxy in front; undefined: that proxy itself (LOCAL), or nobody with an address of IP. */
  readonly source: ProxyAddress | undefined
  readonly destination: ProxyAddress | undefined
}

/** `more`: it may become one. */
export type ReadHeader = ProxyHeader | 'more' | { readonly refused: string }

/** With CR LF. */
const lineBytesMax = 107
const fixedBytes = 16
/** Addresses and TLVs of version 2: 36 bytes of addresses, and room for a certificate's names. */
export const proxyTailBytesMax = 4_096
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)
const lineStart = Uint8Array.from('PROXY ', (char) => char.charCodeAt(0))
const checksumType = 0x03
/** By the upper half of the family byte. */
const addressBytes: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 }

/** Reads the header at the beginning of `bytes`. */
export function readProxyHeader(bytes: Uint8Array): ReadHeader {
  if (bytes.length === 0) return 'more'
  if (begins(bytes, signature)) return bytes.length < fixedBytes ? 'more' : readBinary(bytes)
  if (begins(bytes, lineStart)) return readLine(bytes)
  return { refused: 'it does not begin with a PROXY header' }
}

/** As far as both go. */
function begins(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.subarray(0, bytes.length).every((byte, index) => bytes[index] === byte)
}

// --- version 1 --------------------------------------------------------------------------------------------------------

function readLine(bytes: Uint8Array): ReadHeader {
  const limited = bytes.subarray(0, lineBytesMax)
  const end = limited.indexOf(0x0a)
  if (end < 0) return bytes.length >= lineBytesMax ? { refused: `its line is longer than ${lineBytesMax} bytes` } : 'more'
  const line = String.fromCharCode(...limited.subarray(0, end + 1))
  if (/^PROXY UNKNOWN(?: [^\r\n]*)?\r\n$/.test(line)) return { length: end + 1, source: undefined, destination: undefined }
  const [, family, from = '', to = '', fromPort = '', toPort = ''] = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})\r\n$/.exec(line) ?? []
  const source = lineAddress(family, from, fromPort)
  const destination = lineAddress(family, to, toPort)
  return source && destination ? { length: end + 1, source, destination } : { refused: 'its line is malformed' }
}

function lineAddress(family: string | undefined, address: string, digits: string): ProxyAddress | undefined {
  const port = Number(digits)
  if (port > 65_535 || (digits.length > 1 && digits.startsWith('0'))) return undefined
  if (family === '4') return ipaddr.IPv4.isValidFourPartDecimal(address) ? { address, port } : undefined
  return ipaddr.IPv6.isValid(address) && !address.includes('%') ? { address: ipaddr.process(address).toString(), port } : undefined
}

// --- version 2 --------------------------------------------------------------------------------------------------------

function readBinary(bytes: Uint8Array): ReadHeader {
  const version = bytes[12]! >> 4
  const command = bytes[12]! & 15
  const family = bytes[13]! >> 4
  const transport = bytes[13]! & 15
  const tail = (bytes[14]! << 8) | bytes[15]!
  if (version !== 2 || command > 1) return { refused: `its version ${version} with command ${command} is not known` }
  if (tail > proxyTailBytesMax) return { refused: `it is longer than ${proxyTailBytesMax} bytes` }
  const needed = addressBytes[family]
  if (needed === undefined || transport > 2) return { refused: 'its family of addresses is not known' }
  if (command === 1 && tail < needed) return { refused: 'it is too short for its addresses' }
  const length = fixedBytes + tail
  if (bytes.length < length) return 'more'
  const header = bytes.subarray(0, length)
  // The proxy in front speaks for itself: what stands in the rest is to be passed over.
  if (command === 0) return { length, source: undefined, destination: undefined }
  const wrong = wrongTlvs(header, fixedBytes + needed)
  if (wrong !== undefined) return { refused: wrong }
  if (family !== 1 && family !== 2) return { length, source: undefined, destination: undefined }
  const size = family === 1 ? 4 : 16
  const at = (from: number, port: number): ProxyAddress => ({
    address: ipaddr.process(ipaddr.fromByteArray([...header.subarray(from, from + size)]).toString()).toString(),
    port: (header[port]! << 8) | header[port + 1]!,
  })
  const ports = fixedBytes + 2 * size
  return { length, source: at(fixedBytes, ports), destination: at(fixedBytes + size, ports + 2) }
}

/** All are skipped but the checksum, which must be right when it is there. */
function wrongTlvs(header: Uint8Array, start: number): string | undefined {
  let at = start
  while (at < header.length) {
    if (at + 3 > header.length) return 'its TLVs are cut'
    const size = (header[at + 1]! << 8) | header[at + 2]!
    const value = at + 3
    if (value + size > header.length) return 'its TLVs are cut'
    if (header[at] === checksumType && !isRight(header, value, size)) return 'its checksum is wrong'
    at = value + size
  }
  return undefined
}

function isRight(header: Uint8Array, at: number, size: number): boolean {
  if (size !== 4) return false
  // A copy: `slice` of a Buffer is none.
  const zeroed = new Uint8Array(header)
  zeroed.fill(0, at, at + 4)
  const told = new DataView(header.buffer, header.byteOffset + at, 4).getUint32(0)
  return crc32c(zeroed) === told
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

/** RFC 4960 Appendix B. */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = crcTable[(value ^ byte) & 255]! ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}

// --- writing ----------------------------------------------------------------------------------------------------------

/** Both ends of a connection, as a socket knows them. */
export interface ConnectionEnds {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** The header for an endpoint; without `from`, or when its ends are not known, the connection is our own: UNKNOWN, LOCAL. */
export function proxyHeader(version: ProxyProtocolVersion, from?: ConnectionEnds): Uint8Array {
  const source = endOf(from?.remoteAddress, from?.remotePort)
  const destination = endOf(from?.localAddress, from?.localPort)
  if (!source || !destination) return version === 'v1' ? ownLine : ownBinary
  const four = source.address.kind() === 'ipv4' && destination.address.kind() === 'ipv4'
  return version === 'v1' ? lineOf(four, source, destination) : binaryOf(four, source, destination)
}

interface End {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6
  readonly port: number
}

const asciiBytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))
const ownLine = asciiBytes('PROXY UNKNOWN\r\n')
const ownBinary = Uint8Array.of(...signature, 0x20, 0, 0, 0)

function endOf(address: string | undefined, port: number | undefined): End | undefined {
  if (address === undefined || port === undefined || !ipaddr.isValid(address)) return undefined
  return { address: ipaddr.process(address.replace(/%.*$/, '')), port }
}

/** Where one end is of IPv6, the other is mapped to it. */
const widened = ({ address }: End): ipaddr.IPv6 => (address instanceof ipaddr.IPv4 ? address.toIPv4MappedAddress() : address)

function lineOf(four: boolean, from: End, to: End): Uint8Array {
  const text = (end: End): string => (four ? end.address.toString() : widened(end).toRFC5952String())
  return asciiBytes(`PROXY TCP${four ? 4 : 6} ${text(from)} ${text(to)} ${from.port} ${to.port}\r\n`)
}

function binaryOf(four: boolean, from: End, to: End): Uint8Array {
  const bytes = (end: End): readonly number[] => (four ? end.address : widened(end)).toByteArray()
  const ports = [from.port, to.port].flatMap((port) => [port >> 8, port & 255])
  const tail = [...bytes(from), ...bytes(to), ...ports]
  return Uint8Array.of(...signature, 0x21, four ? 0x11 : 0x21, 0, tail.length, ...tail)
}
