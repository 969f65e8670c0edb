/**
 * Stands in for the socket of a client whose request a server of the program has read already: the request is given to the client as bytes of HTTP/1.1,
 * and the answer that the client writes leaves by the program's `ServerResponse`. So the same strict reading, rules, deadlines and books hold.
 *
 *   request ─▶ (head, body as it comes) ─▶ Client ─▶ answer ─▶ response.end() │ cut: the response is destroyed
 */
import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fieldStride, nameEnd, nameStart, parseResponseHead, valueEnd, valueStart, type Head } from '../http1/head.ts'
import { latin1, text } from '../http1/bytes.ts'
import { responseFraming, type BodyFraming } from '../http1/response.ts'
import { MessageReader, type MessageSink } from '../http2/message-reader.ts'
import type { ByteSocket } from '../worker/client-side.ts'

const crlf = latin1('\r\n')

/** What Node frames by itself, or has dealt with. */
const ofTheConnection: ReadonlySet<string> = new Set(['transfer-encoding', 'keep-alive', 'connection'])

/** A request's head as it came: Node has checked it, and the client does so again. `without`: names in lower case. */
export function headOf({ method, url, rawHeaders }: IncomingMessage, without: ReadonlySet<string> = new Set()): Buffer {
  return latin1(`${method ?? ''} ${url ?? ''} HTTP/1.1\r\n${linesOf(rawHeaders, without)}\r\n`)
}

function linesOf(raw: readonly string[], without: ReadonlySet<string>): string {
  let lines = ''
  for (let i = 0; i + 1 < raw.length; i += 2) if (!without.has(raw[i]!.toLowerCase())) lines += `${raw[i]}: ${raw[i + 1]}\r\n`
  return lines
}

// Node has answered it with 100 before the program saw the request.
const answeredByNode: ReadonlySet<string> = new Set(['expect'])

export class RequestSocket extends EventEmitter implements ByteSocket, MessageSink {
  readonly remoteAddress: string | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #reader = new MessageReader(parseResponseHead, this)
  readonly #chunked: boolean
  destroyed = false

  constructor(request: IncomingMessage, response: ServerResponse) {
    super()
    this.#request = request
    this.#response = response
    this.remoteAddress = request.socket.remoteAddress
    this.#chunked = request.headers['transfer-encoding'] !== undefined
    response.on('drain', () => this.emit('drain'))
    response.on('error', () => undefined)
    response.on('close', () => {
      this.#closed()
    })
    request.on('error', () => undefined)
  }

  /** The client is there and listens. */
  begin(): void {
    const request = this.#request
    this.emit('data', headOf(request, answeredByNode))
    request.on('data', (chunk: Buffer) => {
      if (!this.destroyed && chunk.length > 0)
        this.emit('data', this.#chunked ? Buffer.concat([latin1(`${chunk.length.toString(16)}\r\n`), chunk, crlf]) : chunk)
    })
    request.on('end', () => {
      if (!this.destroyed && this.#chunked) this.emit('data', latin1(`0\r\n${linesOf(request.rawTrailers, new Set())}\r\n`))
    })
  }

  get writableLength(): number {
    return this.#response.writableLength
  }

  get writableNeedDrain(): boolean {
    return this.#response.writableNeedDrain
  }

  write(bytes: Buffer): boolean {
    if (this.destroyed) return true
    // What we wrote ourselves can be read again; if not, the answer must not look whole.
    if (!this.#reader.feed(bytes)) this.destroy()
    return !this.#response.writableNeedDrain
  }

  messageHead(head: Head, buffer: Buffer): BodyFraming | 'interim' {
    if (head.status < 200) {
      if (head.status === 103) this.#response.writeEarlyHints(Object.fromEntries(fieldsOf(head, buffer)))
      return 'interim'
    }
    this.#response.writeHead(head.status, fieldsOf(head, buffer).flat())
    return responseFraming(head, this.#request.method ?? 'GET')
  }

  messageData(bytes: Buffer): void {
    // The bytes are written over after this call, and Node may keep them until the next turn.
    this.#response.write(Buffer.from(bytes))
  }

  messageEnd(trailers: Head | undefined, buffer: Buffer): void {
    if (trailers !== undefined) this.#response.addTrailers(fieldsOf(trailers, buffer))
    this.#response.end()
  }

  end(done?: () => void): void {
    if (done !== undefined) this.once('close', done)
    if (this.#reader.done) this.#closed()
    else this.destroy()
  }

  destroySoon(): void {
    this.end()
  }

  resetAndDestroy(): void {
    this.destroy()
  }

  destroy(): void {
    if (!this.#reader.done) this.#response.destroy()
    this.#closed()
  }

  #closed(): void {
    if (this.destroyed) return
    this.destroyed = true
    process.nextTick(() => this.emit('close'))
  }

  pause(): void {
    this.#request.pause()
  }

  resume(): void {
    this.#request.resume()
  }

  setKeepAlive(): void {
    // The connection is the program's.
  }
}

function fieldsOf(head: Head, buffer: Buffer): [string, string][] {
  const fields: [string, string][] = []
  for (let i = 0; i < head.fieldCount; i++) {
    const base = i * fieldStride
    const name = text(buffer, head.fields[base + nameStart]!, head.fields[base + nameEnd]!)
    if (!ofTheConnection.has(name.toLowerCase())) fields.push([name, text(buffer, head.fields[base + valueStart]!, head.fields[base + valueEnd]!)])
  }
  return fields
}
