/** How the proxy reads the bytes of a connection, without the sockets: the second half of every comparison with somebody else's reading. */
import { ChunkedBody } from '../http1/chunked.ts'
import { Head, parseRequestHead } from '../http1/head.ts'
import { forwardedBlock, readRequest, RequestFacts, writeRequestHead } from '../http1/request.ts'

export interface Read {
  readonly method: string
  readonly target: string
  readonly body: string
}

/** How an origin reads what was forwarded. */
export interface Arrived extends Read {
  readonly host: string
  /** `chunked`, a number of bytes, or nothing. */
  readonly framing: string
  /** It asks for another protocol. */
  readonly upgrades: boolean
}

export interface Reading {
  /** The requests that are whole. */
  readonly requests: readonly Read[]
  /** What the origin must make of them. */
  readonly meant: readonly Arrived[]
  /** What the origin would get for them. */
  readonly forwarded: string
}

const forwarded = forwardedBlock({ address: '127.0.0.1', port: 80, scheme: 'http', host: 'a', pseudonym: 'us', version: '1.1' })
const head = new Head()
const facts = new RequestFacts()
const room = Buffer.alloc(256 * 1024)

/**
 * As the proxy reads a connection: request after request until one is not whole or is refused. `followed`: whether the origin takes an upgrade,
 * so that what comes behind it is no HTTP.
 */
export function readOurs(bytes: Buffer, defaultHost = 'h', followed = true): Reading {
  const requests: Read[] = []
  const meant: Arrived[] = []
  let forwardedBytes = ''
  let at = 0
  while (at < bytes.length) {
    const end = parseRequestHead(bytes, at, bytes.length, head)
    if (end <= 0 || readRequest(head, bytes, facts) !== 0) break
    const out = writeRequestHead(room, 0, head, bytes, facts, { target: facts.target, defaultHost, forwarded, requestId: 'i' })
    if (out < 0) break
    const target = bytes.toString('latin1', head.targetStart, head.targetEnd)
    let body = ''
    let sent = room.toString('latin1', 0, out)
    if (facts.bodyLength < 0) {
      const plain = new ChunkedBody(false)
      const stop = plain.feed(bytes, end, bytes.length, (buffer, from, to) => (body += buffer.toString('latin1', from, to)))
      if (!plain.done) break
      new ChunkedBody(true).feed(bytes, end, bytes.length, (buffer, from, to) => (sent += buffer.toString('latin1', from, to)))
      at = stop
    } else {
      if (bytes.length - end < facts.bodyLength) break
      at = end + facts.bodyLength
      body = bytes.toString('latin1', end, at)
      sent += body
    }
    requests.push({ method: facts.method, target, body })
    const framing = facts.bodyLength < 0 ? 'chunked' : facts.hasLength ? String(facts.bodyLength) : ''
    const host = facts.hostValue === '' ? defaultHost : facts.hostValue
    meant.push({ method: facts.method, target: facts.target ?? target, body, host, framing, upgrades: facts.upgrade !== undefined })
    forwardedBytes += sent
    if (!facts.keepAlive || (facts.upgrade !== undefined && followed) || facts.method === 'CONNECT') break
  }
  return { requests, meant, forwarded: forwardedBytes }
}
