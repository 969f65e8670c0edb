import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { crc32c, proxyHeader, readProxyHeader } from './proxy-protocol.ts'

const line = (text: string): Buffer => Buffer.from(text, 'latin1')
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

/** A header of version 2 as the specification draws it. */
function binary({ command = 1, family = 0x11, body = Buffer.alloc(0), version = 2 }): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([signature, Buffer.from([(version << 4) | command, family]), length, body])
}
const tlv = (type: number, value: Buffer): Buffer => Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value])
const four = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0xc8, 0x22, 0x01, 0xbb])
const source = { address: '192.0.2.7', port: 51_234 }
const destination = { address: '198.51.100.1', port: 443 }

function summed(header: Buffer): Buffer {
  const copy = Buffer.from(header)
  copy.writeUInt32BE(crc32c(header), header.length - 4)
  return copy
}

const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
const port = fc.nat(65_535)

describe('the PROXY protocol', () => {
  it.each([
    ['PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n', source, destination],
    ['PROXY TCP6 2001:DB8:0::7 ::1 1 65535\r\n', { address: '2001:db8::7', port: 1 }, { address: '::1', port: 65_535 }],
    ['PROXY UNKNOWN\r\n', undefined, undefined],
    ['PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n', undefined, undefined],
  ])('reads %j', (text, source, destination) => {
    expect(readProxyHeader(line(`${text}GET /`))).toEqual({ length: text.length, source, destination })
  })

  it.each([
    ['GET / HTTP/1.1\r\n', 'it does not begin with a PROXY header'],
    ['PROXY TCP4 192.0.2.7 198.51.100.1 51234 65536\r\n', 'its line is malformed'],
    ['PROXY TCP4 192.0.2.7 198.51.100.1 51234 0443\r\n', 'its line is malformed'],
    ['PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n', 'its line is malformed'],
    ['PROXY TCP4 0x7f.1 198.51.100.1 1 2\r\n', 'its line is malformed'],
    ['PROXY TCP4 ::1 ::1 1 2\r\n', 'its line is malformed'],
    ['PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n', 'its line is malformed'],
    ['PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n', 'its line is malformed'],
    [`PROXY UNKNOWN ${'x'.repeat(107)}`, 'its line is longer than 107 bytes'],
  ])('refuses %j', (text, refused) => {
    expect(readProxyHeader(line(text))).toEqual({ refused })
  })

  it('reads version 2, and passes over what it does not know', () => {
    const unknown = tlv(0xea, Buffer.from('vpce-08d2bf15fac5001c9'))
    const header = binary({ body: Buffer.concat([four, unknown]) })
    expect(readProxyHeader(Buffer.concat([header, Buffer.from('GET /')]))).toEqual({ length: header.length, source, destination })
    const local = binary({ command: 0, family: 0, body: Buffer.from('whatever') })
    expect(readProxyHeader(local)).toEqual({ length: local.length, source: undefined, destination: undefined })
    const unix = binary({ family: 0x31, body: Buffer.alloc(216) })
    expect(readProxyHeader(unix)).toEqual({ length: unix.length, source: undefined, destination: undefined })
  })

  it('holds a checksum against what came', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    const right = summed(binary({ body: Buffer.concat([four, tlv(3, Buffer.alloc(4))]) }))
    expect(readProxyHeader(right)).toMatchObject({ source })
    right[20]! ^= 1
    expect(readProxyHeader(right)).toEqual({ refused: 'its checksum is wrong' })
  })

  it.each([
    [binary({ version: 1 }), 'its version 1 with command 1 is not known'],
    [binary({ command: 2 }), 'its version 2 with command 2 is not known'],
    [binary({ family: 0x41 }), 'its family of addresses is not known'],
    [binary({ body: four.subarray(1) }), 'it is too short for its addresses'],
    [binary({ body: Buffer.concat([four, Buffer.from([4, 0])]) }), 'its TLVs are cut'],
    [binary({ body: Buffer.concat([four, Buffer.from([4, 0, 9, 1])]) }), 'its TLVs are cut'],
    [binary({ body: Buffer.alloc(5_000) }), 'it is longer than 4096 bytes'],
  ])('refuses %o', (header, refused) => {
    expect(readProxyHeader(header)).toEqual({ refused })
  })

  it('waits for more at every place where a header may be cut, and reads all that is well formed', () => {
    fc.assert(
      fc.property(octets, octets, port, port, fc.boolean(), fc.uint8Array({ maxLength: 30 }), (from, to, fromPort, toPort, old, rest) => {
        const ports = Buffer.from([fromPort >> 8, fromPort & 255, toPort >> 8, toPort & 255])
        const header = old
          ? line(`PROXY TCP4 ${from.join('.')} ${to.join('.')} ${fromPort} ${toPort}\r\n`)
          : binary({ body: Buffer.concat([Buffer.from([...from, ...to]), ports, tlv(4, Buffer.from(rest))]) })
        expect(readProxyHeader(Buffer.concat([header, rest]))).toEqual({
          length: header.length,
          source: { address: from.join('.'), port: fromPort },
          destination: { address: to.join('.'), port: toPort },
        })
        for (let cut = 0; cut < header.length; cut++) expect(readProxyHeader(header.subarray(0, cut))).toBe('more')
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['v1', 'PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n'],
    ['v2', binary({ body: four }).toString('latin1')],
  ] as const)('is written as the specification draws it: %s', (version, text) => {
    const from = { remoteAddress: '::ffff:192.0.2.7', remotePort: 51_234, localAddress: '198.51.100.1', localPort: 443 }
    expect(Buffer.from(proxyHeader(version, from)).toString('latin1')).toBe(text)
  })

  it.each(['v1', 'v2'] as const)('is read as it was written: %s', (version) => {
    const end = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), port)
    fc.assert(
      fc.property(end, end, ([remoteAddress, remotePort], [localAddress, localPort]) => {
        const header = proxyHeader(version, { remoteAddress, remotePort, localAddress, localPort })
        const plain = (address: string): string => ipaddr.process(address).toString()
        expect(readProxyHeader(header)).toEqual({
          length: header.length,
          source: { address: plain(remoteAddress), port: remotePort },
          destination: { address: plain(localAddress), port: localPort },
        })
      }),
    )
    for (const nobody of [undefined, {}, { remoteAddress: 'unknown', remotePort: 1, localAddress: '127.0.0.1', localPort: 2 }]) {
      const header = proxyHeader(version, nobody)
      expect(readProxyHeader(header)).toEqual({ length: header.length, source: undefined, destination: undefined })
    }
  })

  it('never reads more than there is, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, signed) => {
        const input = signed ? Buffer.concat([signature, bytes]) : bytes
        const read = readProxyHeader(input)
        if (read !== 'more' && !('refused' in read)) expect(read.length).toBeLessThanOrEqual(input.length)
      }),
    )
  })
})
