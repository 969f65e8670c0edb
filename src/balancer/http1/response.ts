/**
 * An answer on its way back: how its body is framed (RFC 9112 §6.3), and the head that the client gets.
 */
import { copyBytes, equalsIgnoringCase, latin1, text } from './bytes.ts'
import { tokensOf } from './chunked.ts'
import { copyFields } from './copy-fields.ts'
import type { HeadEdit } from '../core/rules/head-edit.ts'
import { Field, isHopByHop } from './fields.ts'
import { fieldKind, fieldStride, fieldText, nameEnd, nameStart, several, valueEnd, valueStart, type Head } from './head.ts'
import { connectionTokens } from './request.ts'

/** How the bytes behind the head are to be read. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'untilClose'

export function responseFraming(head: Head, requestMethod: string): BodyFraming {
  if (requestMethod === 'HEAD' || head.status === 204 || head.status === 304 || head.status < 200) return 'none'
  if (head.chunked) return 'chunked'
  if (head.contentLength >= 0) return head.contentLength === 0 ? 'none' : 'length'
  return 'untilClose'
}

/** Whether the connection to the origin can carry another request after this answer. */
export function originKeepsAlive(head: Head, buffer: Buffer): boolean {
  // A body announced where none may be: it may follow all the same, and must not be read as the next answer.
  if (head.status === 204 && (head.chunked || head.contentLength > 0)) return false
  if (head.connection < 0) return head.minor === 1
  if (head.connection !== several) {
    const base = head.connection * fieldStride
    const start = head.fields[base + valueStart]!
    const end = head.fields[base + valueEnd]!
    if (equalsIgnoringCase(buffer, start, end, 'keep-alive')) return true
    if (equalsIgnoringCase(buffer, start, end, 'close')) return false
  }
  const tokens = connectionTokens(head, buffer)
  return tokens.includes('close') ? false : head.minor === 1 || tokens.includes('keep-alive')
}

/** Seconds that the origin says it keeps an idle connection (`Keep-Alive: timeout=5`); undefined when it says nothing. */
export function keepAliveHint(head: Head, buffer: Buffer): number | undefined {
  if (head.keepAlive < 0) return undefined
  const hint = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(fieldText(head, buffer, head.keepAlive))
  return hint?.[1] === undefined ? undefined : Number(hint[1])
}

const statusLine11 = latin1('HTTP/1.1 ')
const crlf = latin1('\r\n')
const chunkedField = latin1('Transfer-Encoding: chunked\r\n')
const closeField = latin1('Connection: close\r\n')
const keepAliveField = latin1('Connection: keep-alive\r\n')
const requestIdField = latin1('X-Request-Id: ')

export interface ResponseHeadOptions {
  /** `Via: 1.1 pseudonym CR LF`. */
  readonly via: Buffer
  readonly requestId: string
  /** What the client is told about its connection; `none`: nothing need be said. */
  readonly connection: 'none' | 'close' | 'keepAlive'
  /** The body goes out chunked. */
  readonly chunked: boolean
  /** The body leaves without the length that the origin gave (it is cut into chunks, or ends with the connection). */
  readonly dropLength: boolean
  /** For 101: the protocol. */
  readonly upgrade: string | undefined
  /** Changes by rule. */
  readonly edits?: readonly HeadEdit[] | undefined
  /** Lines by rule, each with CR LF. */
  readonly lines?: string | undefined
}

export const responseHeadGrowthMax = 1024

/** Writes the head for the client; returns the offset behind it. `out` must have room for the origin's head, what rules add, and `responseHeadGrowthMax`. */
export function writeResponseHead(out: Buffer, at: number, head: Head, buffer: Buffer, options: ResponseHeadOptions): number {
  let to = at
  let run: number
  if (head.minor === 1) run = head.begin
  else {
    to = copyBytes(statusLine11, 0, statusLine11.length, out, to)
    run = head.begin + 9
  }
  chooseFields(head, buffer, options.dropLength, options.edits)
  to = copyFields(out, to, head, buffer, run)
  if (options.edits !== undefined) to = writeRuled(out, to, options.edits, options.lines)
  to = copyBytes(options.via, 0, options.via.length, out, to)
  to = copyBytes(requestIdField, 0, requestIdField.length, out, to)
  to += out.write(options.requestId, to, 'latin1')
  to = copyBytes(crlf, 0, 2, out, to)
  if (options.upgrade !== undefined) to += out.write(`Connection: Upgrade\r\nUpgrade: ${options.upgrade}\r\n`, to, 'latin1')
  else if (options.connection === 'close') to = copyBytes(closeField, 0, closeField.length, out, to)
  else if (options.connection === 'keepAlive') to = copyBytes(keepAliveField, 0, keepAliveField.length, out, to)
  if (options.chunked) to = copyBytes(chunkedField, 0, chunkedField.length, out, to)
  return copyBytes(crlf, 0, 2, out, to)
}

function writeRuled(out: Buffer, at: number, edits: readonly HeadEdit[], lines: string | undefined): number {
  let to = at
  for (const { block } of edits) to = copyBytes(block, 0, block.length, out, to)
  return lines === undefined ? to : to + out.write(lines, to, 'latin1')
}

/** Marks the fields that are not passed on. */
function chooseFields(head: Head, buffer: Buffer, dropLength: boolean, edits: readonly HeadEdit[] | undefined): void {
  const { fields, drop, fieldCount } = head
  const dropped = head.connection >= 0 ? droppedNames(head, buffer) : undefined
  for (let i = 0; i < fieldCount; i++) {
    const base = i * fieldStride
    const kind = fields[base + fieldKind]!
    let keep: boolean
    if (kind === Field.contentLength) keep = !dropLength
    else if (kind !== Field.other && (isHopByHop[kind] === 1 || kind === Field.xRequestId)) keep = false
    else keep = !dropped?.has(text(buffer, fields[base + nameStart]!, fields[base + nameEnd]!).toLowerCase())
    if (keep && edits !== undefined) keep = !droppedByRule(edits, buffer, fields[base + nameStart]!, fields[base + nameEnd]!)
    drop[i] = keep ? 0 : 1
  }
}

function droppedByRule(edits: readonly HeadEdit[], buffer: Buffer, start: number, end: number): boolean {
  for (const edit of edits) if (edit.drops(buffer, start, end)) return true
  return false
}

function droppedNames(head: Head, buffer: Buffer): ReadonlySet<string> | undefined {
  if (head.connection !== several) {
    const base = head.connection * fieldStride
    const start = head.fields[base + valueStart]!
    const end = head.fields[base + valueEnd]!
    if (equalsIgnoringCase(buffer, start, end, 'keep-alive') || equalsIgnoringCase(buffer, start, end, 'close')) return undefined
  }
  return new Set(connectionTokens(head, buffer))
}

/** Whether the answer's Upgrade names the protocol that was asked for (RFC 9110 §7.8). */
export function acceptsUpgrade(head: Head, buffer: Buffer, asked: string | undefined): boolean {
  if (asked === undefined || head.upgrade < 0 || head.upgrade === several) return false
  return tokensOf(fieldText(head, buffer, head.upgrade)).includes(asked.toLowerCase())
}

/** Whether bytes up to `length` hold all of a short answer and nothing behind it, and whether its connection takes another request. */
export function extentOf(head: Head, buffer: Buffer, length: number, requestMethod: string): { readonly whole: boolean; readonly keep: boolean } {
  const framing = responseFraming(head, requestMethod)
  const rest = length - head.end
  const whole = framing === 'none' ? rest === 0 : framing === 'length' && rest === head.contentLength
  return { whole, keep: whole && originKeepsAlive(head, buffer) }
}
