/** Clients that speak HTTP/2 to the real proxy: Node's own, and raw frames for what no client would send. */
import {
  connect,
  type ClientHttp2Session,
  type ClientSessionOptions,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2'

export interface Http2Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly trailers: IncomingHttpHeaders
  readonly interims: readonly number[]
  readonly text: string
  /** 0: it ended in good order. */
  readonly code: number
}

export class Http2Client {
  readonly session: ClientHttp2Session
  goawayCode: number | undefined

  constructor(session: ClientHttp2Session) {
    this.session = session
    session.on('error', () => undefined)
    session.on('goaway', (code: number) => {
      this.goawayCode = code
    })
  }

  static to(url: string, options: ClientSessionOptions | SecureClientSessionOptions = {}): Promise<Http2Client> {
    return new Promise((resolve, reject: (error: Error) => void) => {
      const session = connect(url, { rejectUnauthorized: false, ...options } as SecureClientSessionOptions)
      session.once('error', reject)
      session.once('remoteSettings', () => {
        session.off('error', reject)
        resolve(new Http2Client(session))
      })
    })
  }

  /** Resolves however the stream ends. */
  ask(headers: OutgoingHttpHeaders = {}, body: string | Buffer | readonly Buffer[] = '', trailers?: OutgoingHttpHeaders): Promise<Http2Answer> {
    return new Promise((resolve) => {
      const pieces = Array.isArray(body) ? (body as readonly Buffer[]) : body.length === 0 ? [] : [Buffer.from(body as string)]
      const endStream = pieces.length === 0 && trailers === undefined
      const stream = this.session.request({ ':path': '/', ...headers }, { endStream, waitForTrailers: trailers !== undefined })
      const seen: { headers: IncomingHttpHeaders; trailers: IncomingHttpHeaders; interims: number[]; text: string } = {
        headers: {},
        trailers: {},
        interims: [],
        text: '',
      }
      stream.setEncoding('latin1')
      stream.on('headers', (interim) => seen.interims.push(Number(interim[':status'])))
      stream.on('response', (answer) => {
        seen.headers = answer
      })
      stream.on('trailers', (given: IncomingHttpHeaders) => {
        seen.trailers = given
      })
      stream.on('data', (text: string) => {
        seen.text += text
      })
      stream.on('error', () => undefined)
      stream.on('wantTrailers', () => {
        stream.sendTrailers(trailers ?? {})
      })
      stream.on('close', () => {
        resolve({ ...seen, status: Number(seen.headers[':status'] ?? 0), code: stream.rstCode })
      })
      if (endStream) return
      for (const piece of pieces) stream.write(piece)
      stream.end()
    })
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.session.destroyed) {
        resolve()
        return
      }
      this.session.once('close', resolve)
      this.session.destroy()
    })
  }
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

/** A frame as it stands on the wire. */
export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** HEADERS, whole, each field as a literal: any bytes go. Fields longer than 126 bytes do not. */
export function headersFrame(stream: number, fields: readonly (readonly [string, string])[], ended: boolean): Buffer {
  const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')])
  const block = fields.map(([name, value]) => Buffer.concat([Buffer.from([0]), literal(name), literal(value)]))
  return frame(1, ended ? 5 : 4, stream, Buffer.concat(block))
}

/** How a client begins. */
export const opening = (): Buffer => Buffer.concat([Buffer.from(preface), frame(4, 0, 0)])

/** The types of whole frames in `bytes`, with what HEADERS, RST_STREAM and GOAWAY carry. */
export function framesIn(bytes: Buffer): { readonly type: number; readonly stream: number; readonly payload: Buffer }[] {
  const frames = []
  for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    frames.push({ type: bytes[at + 3]!, stream: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + bytes.readUIntBE(at, 3)) })
  }
  return frames
}
