/**
 * A request on its way through: what must hold before it is forwarded (beyond the grammar of its head), and the
 * head that the origin gets. Kept fields are copied in runs of original bytes; everything a client could use to
 * lie about itself is replaced by what we know.
 */
import { isIPv6 } from 'node:net'
import { copyBytes, equalsIgnoringCase, latin1, text } from './bytes.ts'
import { tokensOf } from './chunked.ts'
import { copyFields } from './copy-fields.ts'
import type { HeadEdit } from '../core/rules/head-edit.ts'
import { Field, fieldIdOfName, isHopByHop, isOursInRequests, neverConnectionOption } from './fields.ts'
import { fieldKind, fieldStride, fieldText, HeadError, nameEnd, nameStart, several, valueEnd, valueStart, type Head } from './head.ts'

/** What the exchange must know of a request; one object per client connection, filled anew for each request. */
export class RequestFacts {
  method = ''
  /** Origin-form target as forwarded (before a prefix is stripped); undefined: the bytes of the head serve as they are. */
  target: string | undefined
  /** Lower case, without port; empty when none was given (HTTP/1.0). */
  host = ''
  /** The Host field's value as it is forwarded; empty when none was given. */
  hostValue = ''
  /** The authority came from the target and replaces the Host field. */
  hostReplaced = false
  keepAlive = true
  idempotent = true
  /** The protocol asked for with `Upgrade`; undefined: none. */
  upgrade: string | undefined
  /** The client waits for `100 Continue` before it sends the body. */
  expectsContinue = false
  /** −1: chunked; 0: no body. */
  bodyLength = 0
  /** Of a chunked body: bytes of data, without their framing, that have been announced so far. */
  bodyBytes = 0
  /** The head has Content-Length. */
  hasLength = false
  /** Field names that `Connection` asks us to remove; undefined: only the usual ones. */
  dropped: ReadonlySet<string> | undefined
  teTrailers = false
}

/** Methods that may be sent again when it is unknown whether they ran (RFC 9110 §9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PROPFIND', 'SEARCH', 'QUERY', 'REPORT'])

/** Protocols we never upgrade to: they would carry requests past this proxy's rules. */
const refusedUpgrades: ReadonlySet<string> = new Set(['h2c', 'h2', 'http', 'http/1.1', 'http/2', 'http/2.0', 'tls', 'tls/1.0'])

/** Reads everything out of a parsed head; 0 when it may be forwarded, a `HeadError` otherwise. */
export function readRequest(head: Head, buffer: Buffer, facts: RequestFacts): number {
  facts.method = head.method
  facts.target = undefined
  facts.hostReplaced = false
  facts.idempotent = head.method === 'GET' || idempotentMethods.has(head.method)
  facts.upgrade = undefined
  facts.expectsContinue = false
  facts.bodyLength = head.chunked ? -1 : Math.max(0, head.contentLength)
  facts.bodyBytes = 0
  facts.hasLength = head.contentLength >= 0
  facts.dropped = undefined
  facts.teTrailers = false
  facts.keepAlive = head.minor === 1

  const hostError = readHost(head, buffer, facts)
  if (hostError !== 0) return hostError
  const targetError = readTarget(head, buffer, facts)
  if (targetError !== 0) return targetError
  if (head.connection >= 0 || head.upgrade >= 0) {
    const error = readConnection(head, buffer, facts)
    if (error !== 0) return error
  }
  if (head.te >= 0) facts.teTrailers = tokensOf(fieldText(head, buffer, head.te)).includes('trailers')
  if (head.expect >= 0) {
    const expectation = head.expect === several ? '' : fieldText(head, buffer, head.expect).toLowerCase()
    if (expectation !== '100-continue') return HeadError.expectation
    // RFC 9110 §10.1.1: from HTTP/1.0, and without a body, there is nothing to wait for.
    facts.expectsContinue = head.minor === 1 && facts.bodyLength !== 0
  }
  return 0
}

function readHost(head: Head, buffer: Buffer, facts: RequestFacts): number {
  if (head.host < 0) {
    facts.host = ''
    facts.hostValue = ''
    return head.minor === 0 ? 0 : HeadError.host
  }
  const base = head.host * fieldStride
  const start = head.fields[base + valueStart]!
  const end = head.fields[base + valueEnd]!
  // Most connections name the same host in every request.
  if (end > start && end - start === facts.hostValue.length && sameText(buffer, start, facts.hostValue)) return 0
  const value = text(buffer, start, end)
  const host = hostOf(value)
  if (host === undefined) return HeadError.host
  facts.host = host
  facts.hostValue = value
  return 0
}

function sameText(buffer: Buffer, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (buffer[start + i] !== word.charCodeAt(i)) return false
  return true
}

const registeredName = /^(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+$/

/** The host of an authority, lower case and without port; undefined when it is not valid (RFC 9110 §7.2). */
export function hostOf(authority: string): string | undefined {
  const colon = authority.startsWith('[') ? authority.indexOf(':', authority.indexOf(']')) : authority.indexOf(':')
  const host = colon < 0 ? authority : authority.slice(0, colon)
  const port = colon < 0 ? '' : authority.slice(colon + 1)
  if (colon >= 0 && !(/^\d{0,5}$/.test(port) && Number(port) <= 65535)) return undefined
  if (host.startsWith('[')) return host.endsWith(']') && isIPv6(host.slice(1, -1)) ? host.toLowerCase() : undefined
  if (!registeredName.test(host)) return undefined
  // `example.com.` is the same name, said with its root.
  return (host.length > 1 && host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
}

function readTarget(head: Head, buffer: Buffer, facts: RequestFacts): number {
  const first = buffer[head.targetStart]
  if (first === 47) return 0
  const target = text(buffer, head.targetStart, head.targetEnd)
  if (target === '*') return head.method === 'OPTIONS' ? 0 : HeadError.target
  if (head.method === 'CONNECT') return hostOf(target) === undefined ? HeadError.target : 0
  const absolute = /^https?:\/\/([^/?]*)([/?].*)?$/i.exec(target)
  const authority = absolute?.[1]
  if (authority === undefined) return HeadError.target
  const host = hostOf(authority)
  if (host === undefined) return HeadError.target
  // RFC 9112 §3.2.2: the target's authority replaces the Host field, which had to be there and valid all the same.
  const path = absolute?.[2] ?? (head.method === 'OPTIONS' ? '*' : '/')
  facts.target = path.startsWith('?') ? `/${path}` : path
  facts.host = host
  facts.hostValue = authority
  facts.hostReplaced = true
  return 0
}

function readConnection(head: Head, buffer: Buffer, facts: RequestFacts): number {
  if (head.connection >= 0 && head.connection !== several && head.upgrade < 0) {
    const base = head.connection * fieldStride
    const start = head.fields[base + valueStart]!
    const end = head.fields[base + valueEnd]!
    if (equalsIgnoringCase(buffer, start, end, 'keep-alive')) {
      facts.keepAlive = true
      return 0
    }
    if (equalsIgnoringCase(buffer, start, end, 'close')) {
      facts.keepAlive = false
      return 0
    }
  }
  let dropped: Set<string> | undefined
  let wantsUpgrade = false
  let close = false
  let keep = false
  for (const token of connectionTokens(head, buffer)) {
    if (token === 'close') close = true
    else if (token === 'keep-alive') keep = true
    else if (token === 'upgrade') wantsUpgrade = true
    else if (neverConnectionOption.has(token)) return HeadError.connectionOption
    else if (fieldIdOfName(token) === Field.other || isHopByHop[fieldIdOfName(token)] === 0) (dropped ??= new Set()).add(token)
  }
  facts.dropped = dropped
  facts.keepAlive = close ? false : head.minor === 1 || keep
  if (wantsUpgrade && head.upgrade >= 0 && head.upgrade !== several && head.minor === 1) {
    const protocol = fieldText(head, buffer, head.upgrade)
    // A list or an unsafe protocol is simply not upgraded: the request goes on as an ordinary one.
    if (/^[A-Za-z0-9!#$%&'*+\-.^_`|~/]+$/.test(protocol) && !refusedUpgrades.has(protocol.toLowerCase())) facts.upgrade = protocol
  }
  return 0
}

/** All tokens of all Connection fields, lower case. */
export function connectionTokens(head: Head, buffer: Buffer): string[] {
  const tokens: string[] = []
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.fields[i * fieldStride + fieldKind] === Field.connection) tokens.push(...tokensOf(fieldText(head, buffer, i)))
  }
  return tokens
}

/** Names that a CGI-like origin would read as a field of ours, or as one that decides about framing; letters only. */
const imitated: ReadonlyMap<string, 'drop' | 'refuse'> = new Map([
  ['contentlength', 'refuse'],
  ['transferencoding', 'refuse'],
  ['host', 'refuse'],
  ['connection', 'drop'],
  ['forwarded', 'drop'],
  ['xforwardedfor', 'drop'],
  ['xforwardedproto', 'drop'],
  ['xforwardedhost', 'drop'],
  ['xforwardedport', 'drop'],
  ['xrealip', 'drop'],
  ['xrequestid', 'drop'],
  ['clientcert', 'drop'],
  ['clientcertchain', 'drop'],
  ['xclientcertsubject', 'drop'],
])

/** 1 for the token bytes that are neither letter nor digit nor `-`: servers fold `_` and `.` into `-`, and the others have been used for the same trick. */
const oddNameByte = new Uint8Array(256)
for (const char of "!#$%&'*+.^_`|~") oddNameByte[char.charCodeAt(0)] = 1
const hyphen = 45

/** `forward`: an ordinary field; `drop`: imitates a field of ours; `refuse`: imitates framing. */
function imitation(buffer: Buffer, start: number, end: number): 'forward' | 'drop' | 'refuse' {
  let odd = buffer[end - 1] === hyphen
  let before = hyphen
  for (let i = start; i < end && !odd; i++) {
    const byte = buffer[i]!
    odd = oddNameByte[byte] === 1 || (byte === hyphen && before === hyphen)
    before = byte
  }
  if (!odd) return 'forward'
  const letters = text(buffer, start, end)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
  return imitated.get(letters) ?? 'forward'
}

const http11 = latin1(' HTTP/1.1\r\n')
const connectionUpgrade = latin1('Connection: Upgrade\r\nUpgrade: ')
const teTrailers = latin1('TE: trailers\r\nConnection: TE\r\n')
const chunkedField = latin1('Transfer-Encoding: chunked\r\n')
const requestIdField = latin1('X-Request-Id: ')
const crlf = latin1('\r\n')

export interface RequestHeadOptions {
  /** Origin-form target when it differs from the client's bytes. */
  readonly target: string | undefined
  /** Host for a request that came without one. */
  readonly defaultHost: string
  /** `X-Forwarded-*`, `Forwarded` and `Via`, made once per connection and host. */
  readonly forwarded: Buffer
  readonly requestId: string
  /** Changes by rule. */
  readonly edit?: HeadEdit | undefined
}

/** Bytes that `writeRequestHead` may add to the client's own. */
export const requestHeadGrowthMax = 1024

/**
 * Writes the head for the origin into `out` at `at`; returns the offset behind it, or a `HeadError`.
 * `out` must have room for the client's head, the options' texts and blocks, and `requestHeadGrowthMax` bytes.
 */
export function writeRequestHead(out: Buffer, at: number, head: Head, buffer: Buffer, facts: RequestFacts, options: RequestHeadOptions): number {
  let to = at
  let run: number
  if (options.target === undefined && head.minor === 1) {
    // Request line and following kept fields are one run.
    run = head.begin
  } else {
    to += out.write(`${facts.method} `, to, 'latin1')
    if (options.target === undefined) to = copyBytes(buffer, head.targetStart, head.targetEnd, out, to)
    else to += out.write(options.target, to, 'latin1')
    to = copyBytes(http11, 0, http11.length, out, to)
    run = head.fieldCount > 0 ? head.fields[nameStart]! : head.end - 2
  }
  const { edit } = options
  const refused = chooseFields(head, buffer, facts, edit)
  if (refused !== 0) return refused
  to = copyFields(out, to, head, buffer, run)
  if (!keepsHost(head, facts)) to += out.write(`Host: ${facts.hostValue === '' ? options.defaultHost : facts.hostValue}\r\n`, to, 'latin1')
  if (facts.bodyLength < 0) to = copyBytes(chunkedField, 0, chunkedField.length, out, to)
  if (edit !== undefined) to = copyBytes(edit.block, 0, edit.block.length, out, to)
  to = copyBytes(options.forwarded, 0, options.forwarded.length, out, to)
  to = copyBytes(requestIdField, 0, requestIdField.length, out, to)
  to += out.write(options.requestId, to, 'latin1')
  to = copyBytes(crlf, 0, 2, out, to)
  if (facts.upgrade !== undefined) {
    to = copyBytes(connectionUpgrade, 0, connectionUpgrade.length, out, to)
    to += out.write(`${facts.upgrade}\r\n`, to, 'latin1')
  } else if (facts.teTrailers) to = copyBytes(teTrailers, 0, teTrailers.length, out, to)
  return copyBytes(crlf, 0, 2, out, to)
}

const keepsHost = (head: Head, facts: RequestFacts): boolean => head.host >= 0 && !facts.hostReplaced

/** Marks the fields that are not forwarded; returns a `HeadError` when one must not even be dropped. */
function chooseFields(head: Head, buffer: Buffer, facts: RequestFacts, edit: HeadEdit | undefined): number {
  const { fields, drop, fieldCount } = head
  for (let i = 0; i < fieldCount; i++) {
    const base = i * fieldStride
    const kind = fields[base + fieldKind]!
    const name = fields[base + nameStart]!
    const stop = fields[base + nameEnd]!
    let keep: boolean
    if (kind === Field.host) keep = keepsHost(head, facts)
    else if (kind === Field.other) {
      const verdict = imitation(buffer, name, stop)
      if (verdict === 'refuse') return HeadError.lookAlike
      keep = verdict === 'forward'
    } else keep = isHopByHop[kind] === 0 && isOursInRequests[kind] === 0
    if (keep && facts.dropped !== undefined && kind !== Field.host) keep = !facts.dropped.has(text(buffer, name, stop).toLowerCase())
    if (keep && edit !== undefined) keep = !edit.drops(buffer, name, stop)
    drop[i] = keep ? 0 : 1
  }
  return 0
}

/** What proxies in front say of a client; each undefined: nothing, or nothing that can be believed. */
export interface ForwardedChain {
  /** Addresses, the client's first. */
  readonly for: string | undefined
  readonly proto: string | undefined
  readonly host: string | undefined
  readonly port: string | undefined
  /** Elements of `Forwarded`. */
  readonly forwarded: string | undefined
}

const behind = (chain: string | undefined): string => (chain === undefined ? '' : `${chain}, `)

/** The fields by which an origin learns who asked (RFC 7239 and its de-facto elders) and that we stood between (RFC 9110 §7.6.3). */
export function forwardedBlock(options: {
  address: string
  port: number
  scheme: 'http' | 'https'
  host: string
  pseudonym: string
  /** Of HTTP, in which the request came. */
  version: string
  /** Further field lines, whole. */
  more?: string
  /** What a trusted proxy in front has said of the client. */
  said?: ForwardedChain | undefined
}): Buffer {
  const { address, host, said } = options
  const node = address.includes(':') ? `"[${address}]"` : address
  const lines = [`X-Forwarded-For: ${behind(said?.for)}${address}`, `X-Forwarded-Proto: ${said?.proto ?? options.scheme}`]
  const forwardedHost = said?.host ?? host
  if (forwardedHost !== '') lines.push(`X-Forwarded-Host: ${forwardedHost}`)
  lines.push(`X-Forwarded-Port: ${said?.port ?? options.port}`)
  lines.push(`Forwarded: ${behind(said?.forwarded)}for=${node};proto=${options.scheme}${host === '' ? '' : `;host="${host}"`}`)
  lines.push(`Via: ${options.version} ${options.pseudonym}`)
  return latin1(`${lines.join('\r\n')}\r\n${options.more ?? ''}`)
}

/** Whether one of the Via fields names us: the request has been here before. */
export function hasVia(head: Head, buffer: Buffer, pseudonym: string): boolean {
  if (head.via < 0) return false
  for (let i = 0; i < head.fieldCount; i++) {
    if (head.fields[i * fieldStride + fieldKind] === Field.via && fieldText(head, buffer, i).includes(pseudonym)) return true
  }
  return false
}
