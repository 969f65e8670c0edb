/** One question over HTTP/2, on a connection of its own: what probes ask. */
import { connect, type IncomingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface Http2Question {
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
  /** Of the answer's body, only so much is read. */
  readonly bodyBytesMax: number
}

export interface Http2Reply {
  readonly status: number
  /** Head and trailers together. */
  readonly fields: Readonly<Record<string, string | undefined>>
  readonly body: Buffer
}

/** How ALPN calls it; a TLS connection that was made for a question must offer it. */
export const http2Protocols = ['h2']

/** Rejects with the system's error, or when the `signal` says that it takes too long. The socket is closed in any case. */
export function askHttp2(socket: Socket, { headers, body, bodyBytesMax }: Http2Question, signal: AbortSignal): Promise<Http2Reply> {
  const secure = socket instanceof TLSSocket
  const session = connect(`${secure ? 'https' : 'http'}://endpoint`, { createConnection: () => socket, settings: { enablePush: false } })
  return new Promise<Http2Reply>((resolve, reject) => {
    const failed = (error: Error): void => {
      reject(error)
    }
    signal.addEventListener('abort', () => {
      failed(signal.reason as Error)
    })
    socket.on('error', failed)
    session.on('error', failed)
    session.on('close', () => {
      failed(new Error('the connection ended before the answer'))
    })
    session.on('connect', () => {
      if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') failed(new Error('the endpoint does not speak HTTP/2'))
    })
    const stream = session.request({ 'user-agent': 'holdfast-probe', ...headers }, { endStream: body === undefined })
    const fields: Record<string, string | undefined> = {}
    const pieces: Buffer[] = []
    let bytes = 0
    const add = (given: IncomingHttpHeaders): void => {
      for (const [name, value] of Object.entries(given)) fields[name] = String(value)
    }
    const finish = (): void => {
      if (fields[':status'] === undefined || stream.rstCode !== 0) failed(new Error(`the stream was reset with code ${stream.rstCode}`))
      else resolve({ status: Number(fields[':status']), fields, body: Buffer.concat(pieces) })
    }
    stream.on('response', add)
    stream.on('trailers', add)
    stream.on('data', (chunk: Buffer) => {
      pieces.push(chunk)
      bytes += chunk.length
      if (bytes > bodyBytesMax) finish()
    })
    stream.on('error', failed)
    stream.on('close', finish)
    if (body !== undefined) stream.end(body)
  }).finally(() => {
    session.destroy()
    socket.destroy()
  })
}
