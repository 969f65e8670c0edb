/** The head of an HTTP/2 answer as one of HTTP/1.1. Whether it is a good one is for the parser that every answer passes. */
import { latin1 } from '../http1/bytes.ts'
import { linesOf, pairsOf } from './fields.ts'

export type AnswerFraming = 'none' | 'length' | 'chunked'

export interface AnswerShape {
  readonly method: string
  /** Nothing follows the head. */
  readonly ended: boolean
  /** 1xx: another head follows. */
  readonly interim: boolean
  /** Trailers follow its body, whatever its length. */
  readonly grpc: boolean
}

/** `raw`: names and values in turn. undefined: it is not an answer. */
export function answerHead(raw: readonly string[], shape: AnswerShape): { readonly head: Buffer; readonly framing: AnswerFraming } | undefined {
  const [name, status = ''] = raw
  if (name !== ':status' || !/^[1-5]\d\d$/.test(status) || status === '101') return undefined
  const pairs = pairsOf(raw.slice(2))
  if (pairs === undefined) return undefined
  const bodiless = shape.interim || shape.method === 'HEAD' || status === '204' || status === '304'
  const length = pairs.find(([field]) => field === 'content-length')?.[1]
  const framing = bodiless ? 'none' : shape.ended ? 'length' : length === undefined || shape.grpc ? 'chunked' : 'length'
  const fields = framing === 'chunked' ? pairs.filter(([field]) => field !== 'content-length') : pairs
  const added = framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : framing === 'length' && length === undefined ? 'Content-Length: 0\r\n' : ''
  return { head: latin1(`HTTP/1.1 ${status} \r\n${linesOf(fields)}${added}\r\n`), framing }
}
