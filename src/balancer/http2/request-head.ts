/**
 * The fields of an HTTP/2 request as the head of an HTTP/1.1 one, which is what everything behind it reads. Strict (RFC 9113 §8.2, §8.3): what is
 * not exactly one request, or would mean something else once it is written as lines, is malformed and never gets further. What is left over
 * (is the host valid, is the target allowed) is for the parser that every HTTP/1.1 request passes.
 */
import { latin1 } from '../http1/bytes.ts'
import { isFieldName, isFieldValue, isHopByHopName, linesOf, type FieldPair } from './fields.ts'
import { isGrpc } from './grpc-answer.ts'
import { newKey } from './websocket.ts'

export interface Http2Request {
  readonly method: string
  /** An HTTP/1.1 head, whole. */
  readonly head: Buffer
  /** Of the body; −1: not known, it travels in chunks. */
  readonly length: number
  /** It expects its answer as gRPC does, also our own. */
  readonly grpc: boolean
  /** It asks for a WebSocket with this key, which is ours; undefined: it is a request. */
  readonly webSocketKey?: string | undefined
}

const methodToken = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,24}$/
const targetBytes = /^[\x21-\x7e]+$/
const plainNumber = /^\d{1,15}$/

/** Pseudo fields and the rest, apart; a sentence when they are not well-formed. */
interface Parts {
  readonly pseudo: ReadonlyMap<string, string>
  readonly fields: FieldPair[]
  readonly cookies: string[]
}

/** `raw`: names and values in turn. `ended`: there is no body. Returns why when it is malformed. */
export function requestOf(raw: readonly string[], ended: boolean): Http2Request | string {
  const parts = partsOf(raw)
  if (typeof parts === 'string') return parts
  const method = parts.pseudo.get(':method') ?? ''
  if (!methodToken.test(method)) return 'no valid :method'
  if (parts.pseudo.get(':protocol') === 'websocket' && method === 'CONNECT') return webSocketOf(parts, ended)
  if (parts.pseudo.has(':protocol') && method !== 'CONNECT') return ':protocol belongs to CONNECT'
  const target = targetOf(parts.pseudo, method)
  if (target === undefined) return 'no valid :path or :scheme'
  const authority = authorityOf(parts)
  if (authority === undefined) return ':authority and host differ, or are given twice'
  const length = lengthOf(parts.fields, ended)
  if (length === undefined) return 'content-length is not a plain number, is given twice, or is not the length of the body'
  const host = authority === '' ? '' : `Host: ${authority}\r\n`
  const cookies = parts.cookies.length === 0 ? '' : `cookie: ${parts.cookies.join('; ')}\r\n`
  const chunked = length < 0 ? 'Transfer-Encoding: chunked\r\n' : ''
  const contentType = parts.fields.find(([name]) => name === 'content-type')?.[1]
  return {
    method,
    head: latin1(`${method} ${target} HTTP/1.1\r\n${host}${linesOf(parts.fields)}${cookies}${chunked}\r\n`),
    length,
    grpc: isGrpc(contentType),
  }
}

function partsOf(raw: readonly string[]): Parts | string {
  const pseudo = new Map<string, string>()
  const fields: FieldPair[] = []
  const cookies: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (!isFieldValue(value)) return `${name} holds a control character`
    if (name.startsWith(':')) {
      if (fields.length + cookies.length > 0 || pseudo.has(name)) return `${name} is given twice, or behind a field`
      pseudo.set(name, value)
    } else if (!isFieldName(name)) return 'a field name is not in lower case, or holds a byte that is not allowed'
    else if (isHopByHopName(name) || (name === 'te' && value !== 'trailers')) return `${name} belongs to a connection of HTTP/1.1`
    else if (name === 'cookie') cookies.push(value)
    else fields.push([name, value])
  }
  for (const name of pseudo.keys()) if (!requestPseudos.has(name)) return `${name} does not belong to a request`
  return { pseudo, fields, cookies }
}

const requestPseudos: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority', ':protocol'])

/** RFC 8441 §4: as the GET of HTTP/1.1 that asks for the same. */
function webSocketOf(parts: Parts, ended: boolean): Http2Request | string {
  const target = targetOf(parts.pseudo, 'GET')
  const authority = authorityOf(parts)
  if (target === undefined || authority === undefined || authority === '') return 'no valid :path, :scheme or :authority'
  if (ended || parts.fields.some(([name]) => name === 'content-length')) return 'an extended CONNECT has no length, and does not end with its head'
  const webSocketKey = newKey()
  const fields = parts.fields.filter(([name]) => name !== 'sec-websocket-key')
  const cookies = parts.cookies.length === 0 ? '' : `cookie: ${parts.cookies.join('; ')}\r\n`
  const asks = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${webSocketKey}\r\n`
  const head = latin1(`GET ${target} HTTP/1.1\r\nHost: ${authority}\r\n${linesOf(fields)}${cookies}${asks}\r\n`)
  return { method: 'GET', head, length: -1, grpc: false, webSocketKey }
}

function targetOf(pseudo: ReadonlyMap<string, string>, method: string): string | undefined {
  const path = pseudo.get(':path')
  const scheme = pseudo.get(':scheme')
  if (method === 'CONNECT') {
    const authority = pseudo.get(':authority')
    return (pseudo.has(':protocol') || (path === undefined && scheme === undefined)) && authority !== undefined && targetBytes.test(authority)
      ? authority
      : undefined
  }
  if (path === undefined || (scheme !== 'http' && scheme !== 'https') || !targetBytes.test(path)) return undefined
  return path.startsWith('/') || (path === '*' && method === 'OPTIONS') ? path : undefined
}

/** Of `:authority` and `host`, which must be the same; empty when there is none. Takes `host` out of the fields. */
function authorityOf({ pseudo, fields }: Parts): string | undefined {
  const given = pseudo.get(':authority')
  const at = fields.findIndex(([name]) => name === 'host')
  if (at < 0) return given ?? ''
  const [[, host] = ['', '']] = fields.splice(at, 1)
  if (fields.some(([name]) => name === 'host')) return undefined
  return given === undefined || given.toLowerCase() === host.toLowerCase() ? host : undefined
}

function lengthOf(fields: readonly FieldPair[], ended: boolean): number | undefined {
  const lengths = fields.filter(([name]) => name === 'content-length')
  const [first] = lengths
  if (first === undefined) return ended ? 0 : -1
  if (lengths.length > 1 || !plainNumber.test(first[1])) return undefined
  const length = Number(first[1])
  return ended && length > 0 ? undefined : length
}
