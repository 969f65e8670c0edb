/**
 * WebSockets over HTTP/2 (RFC 8441): an extended CONNECT stands for the GET of HTTP/1.1 that asks for an upgrade, a 200 for its 101, and the stream for the
 * connection. The key and its answer, which only HTTP/1.1 has, are made and checked where one becomes the other.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http2'
import { latin1 } from '../http1/bytes.ts'
import { fieldText, findField, several, type Head } from '../http1/head.ts'
import { linesOf, pairsOf } from './fields.ts'

/** RFC 6455 §1.3. */
const suffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

export const newKey = (): string => randomBytes(16).toString('base64')

export const acceptOf = (key: string): string =>
  createHash('sha1')
    .update(key + suffix)
    .digest('base64')

/** Whether an HTTP/1.1 head asks for a WebSocket. */
export function asksForWebSocket(head: Head, buffer: Buffer): boolean {
  if (head.upgrade < 0 || head.upgrade === several || head.method !== 'GET' || head.chunked || head.contentLength > 0) return false
  return fieldText(head, buffer, head.upgrade).toLowerCase() === 'websocket'
}

/** Makes the fields of such a head those of an extended CONNECT; returns the key. */
export function toConnect(headers: OutgoingHttpHeaders, head: Head, buffer: Buffer): string {
  headers[':method'] = 'CONNECT'
  headers[':protocol'] = 'websocket'
  delete headers['sec-websocket-key']
  return findField(head, buffer, 'sec-websocket-key') ?? ''
}

/** The endpoint takes no extended CONNECT: it is asked as if no upgrade were wanted. */
export function toGet(headers: OutgoingHttpHeaders, key: string): void {
  headers[':method'] = 'GET'
  delete headers[':protocol']
  if (key !== '') headers['sec-websocket-key'] = key
}

/** The answer 2xx to an extended CONNECT as the 101 that HTTP/1.1 expects; undefined: it is no such answer. */
export function switchedHead(raw: readonly string[], key: string): Buffer | undefined {
  const [name, status = ''] = raw
  const pairs = pairsOf(raw.slice(2))
  if (name !== ':status' || !/^2\d\d$/.test(status) || pairs === undefined) return undefined
  const fields = pairs.filter(([field]) => field !== 'sec-websocket-accept' && field !== 'content-length')
  const accept = `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n`
  return latin1(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}${linesOf(fields)}\r\n`)
}
