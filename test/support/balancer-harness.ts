/**
 * The real data plane (built, in its own processes) between raw sockets: a client that sends and reads bytes, and an
 * origin that records every byte and answers by script.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { pathToFileURL } from 'node:url'
import type * as Balancer from '../../src/balancer/index.ts'
import type { EndpointView, ProxyClient, ProxySignal, ProxyTelemetry, RoutingView, ServiceView } from '../../src/balancer/index.ts'
import { systemClock } from '../../src/kernel/system.ts'

const builtProxy = pathToFileURL(join(import.meta.dirname, '..', '..', 'dist', 'balancer', 'index.js')).href

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `condition` gives something, looking every few milliseconds. */
export async function eventually<T>(what: string, condition: () => T | undefined | false, withinMs = 10_000): Promise<T> {
  const end = performance.now() + withinMs
  for (;;) {
    const value = condition()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`this did not happen within ${withinMs} ms: ${what}`)
    await pause(5)
  }
}

/** Reads until the readings are as wanted. */
export async function readUntil(proxy: RunningProxy, what: string, condition: (telemetry: ProxyTelemetry) => boolean): Promise<ProxyTelemetry> {
  const end = performance.now() + 10_000
  for (;;) {
    const telemetry = await proxy.telemetry()
    if (condition(telemetry)) return telemetry
    if (performance.now() > end) throw new Error(`the readings did not come to this within 10 s: ${what}`)
    await pause(20)
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

// --- the proxy ------------------------------------------------------------------------------------------------------

export interface RunningProxy {
  readonly client: ProxyClient
  readonly pid: number
  readonly directory: string
  readonly port: number
  readonly signals: ProxySignal[]
  /** Routes everything on `port` to these services, and waits until it is so. */
  route(...services: readonly ServiceView[]): Promise<void>
  apply(view: Omit<RoutingView, 'version'>): Promise<void>
  /** Readings that were taken after this call. */
  telemetry(): Promise<ProxyTelemetry>
  stop(): Promise<void>
}

export async function startProxy(workers = 1, directory = mkdtempSync(join(tmpdir(), 'holdfast-balancer-'))): Promise<RunningProxy> {
  const built = (await import(builtProxy)) as typeof Balancer
  const port = await freePort()
  const client = new built.ProxyClient({ directory, clock: systemClock, workers })
  const { pid } = await client.connect()
  const signals: ProxySignal[] = []
  client.onSignal((signal) => signals.push(signal))
  let version = 0
  const apply = (view: Omit<RoutingView, 'version'>): Promise<void> => client.apply({ version: ++version, ...view })
  return {
    client,
    pid,
    directory,
    port,
    signals,
    apply,
    route: (...services) => {
      const cache = services.some((each) => each.cache !== undefined) ? { maxBytes: 64 * 1024 * 1024, workerBytes: 16 * 1024 * 1024 } : undefined
      return apply({ listeners: [{ name: 'web', host: '127.0.0.1', port }], services, cache })
    },
    telemetry: () => client.read(),
    async stop() {
      await client.shutdown(200)
      // The primary tidies up in there until its very end.
      await eventually('the folder is gone', () => {
        rmSync(directory, { recursive: true, force: true })
        return !existsSync(directory)
      })
    },
  }
}

export const endpoint = (port: number, more: Partial<EndpointView> = {}): EndpointView => ({
  id: `e${port}`,
  host: '127.0.0.1',
  port,
  weight: 1,
  state: 'active',
  ...more,
})

export const service = (origins: readonly (Origin | number | EndpointView)[], more: Partial<ServiceView> = {}): ServiceView => ({
  name: 'api',
  routes: [{ listener: 'web', path: '/', stripPath: false }],
  algorithm: 'round-robin',
  slowStartMs: 0,
  timeoutMs: 5_000,
  connectTimeoutMs: 1_000,
  retries: { attempts: 1, budget: 0.2 },
  managed: false,
  coming: false,
  maintenance: false,
  endpoints: origins.map((origin) => (typeof origin === 'number' ? endpoint(origin) : origin instanceof Origin ? endpoint(origin.port) : origin)),
  ...more,
})

// --- the origin -----------------------------------------------------------------------------------------------------

/** A request as the origin read it, and the way to answer it. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  /** In the order they came, names in lower case. */
  readonly fields: readonly (readonly [string, string])[]
  readonly head: string
  readonly body: Buffer
  readonly trailers: string
  readonly socket: Socket
}

export const fieldOf = (seen: Pick<SeenRequest, 'fields'>, name: string): string | undefined => seen.fields.find(([each]) => each === name)?.[1]

export type AnswerRequest = (request: SeenRequest) => void

export const plain = (body: string, fields = ''): string => `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

/** Answers raw bytes; records all it gets. Reads strictly: what it cannot read for certain is kept in `malformed`. */
export class Origin {
  readonly port: number
  readonly requests: SeenRequest[] = []
  readonly malformed: string[] = []
  /** Every byte, by connection. */
  readonly received: Buffer[][] = []
  readonly sockets = new Set<Socket>()
  connections = 0
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
  }

  /** Each whole request is given to `answer`. */
  static async start(answer: AnswerRequest, port = 0): Promise<Origin> {
    return Origin.raw((socket, origin) => {
      readRequests(socket, origin, answer)
    }, port)
  }

  /** `onConnection` does all by itself. */
  static async raw(onConnection: (socket: Socket, origin: Origin) => void, port = 0): Promise<Origin> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', 1024, resolve)
    })
    const origin = new Origin(server)
    server.on('connection', (socket) => {
      origin.connections++
      origin.sockets.add(socket)
      const bytes: Buffer[] = []
      origin.received.push(bytes)
      socket.on('error', () => undefined)
      socket.on('close', () => origin.sockets.delete(socket))
      socket.on('data', (chunk: Buffer) => bytes.push(chunk))
      onConnection(socket, origin)
    })
    return origin
  }

  get everything(): string {
    return this.received.map((chunks) => Buffer.concat(chunks).toString('latin1')).join('\n')
  }

  /** Stops listening and breaks what is open. */
  async stop(how: 'close' | 'reset' = 'close'): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.sockets) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
    await closed
  }
}

function readRequests(socket: Socket, origin: Origin, answer: AnswerRequest): void {
  let input = Buffer.alloc(0)
  socket.on('end', () => socket.end())
  socket.on('data', (chunk: Buffer) => {
    // Who has closed reads no more requests (RFC 9112 §9.6).
    if (socket.writableEnded) return
    input = Buffer.concat([input, chunk])
    for (;;) {
      const read = readRequest(input)
      if (read === undefined) return
      if (typeof read === 'string') {
        origin.malformed.push(read)
        socket.destroy()
        return
      }
      input = input.subarray(read.length)
      const seen: SeenRequest = { ...read.request, socket }
      origin.requests.push(seen)
      answer(seen)
    }
  })
}

const isControl = (char: string): boolean => (char < ' ' && char !== '\t' && char !== '\r' && char !== '\n') || char === '\x7f'

/** A strict reading of one request; undefined: not whole yet; a text: what is wrong. */
export function readRequest(input: Buffer): { readonly request: Omit<SeenRequest, 'socket'>; readonly length: number } | string | undefined {
  const headEnd = input.indexOf('\r\n\r\n', 0, 'latin1')
  if (headEnd < 0) return undefined
  const head = input.toString('latin1', 0, headEnd)
  if (/[^\r]\n|\r[^\n]/.test(head) || Array.from(head).some(isControl)) return `control bytes in ${JSON.stringify(head)}`
  const [line = '', ...lines] = head.split('\r\n')
  const first = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.1$/.exec(line)
  if (!first) return `request line ${JSON.stringify(line)}`
  const fields: [string, string][] = []
  for (const each of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(.*)$/.exec(each)
    if (!field) return `field ${JSON.stringify(each)}`
    fields.push([field[1]!.toLowerCase(), field[2]!])
  }
  const all = (name: string): string[] => fields.filter(([each]) => each === name).map(([, value]) => value)
  const [length] = all('content-length')
  const [coding] = all('transfer-encoding')
  if (all('content-length').length + all('transfer-encoding').length > 1) return `framing given twice in ${JSON.stringify(head)}`
  if (all('host').length !== 1) return `not one Host in ${JSON.stringify(head)}`
  const request = { method: first[1]!, target: first[2]!, fields, head }
  const bodyStart = headEnd + 4
  if (coding !== undefined) {
    if (coding !== 'chunked') return `transfer coding ${coding}`
    const body = readChunked(input, bodyStart)
    if (body === undefined || typeof body === 'string') return body
    return { request: { ...request, body: body.body, trailers: body.trailers }, length: body.end }
  }
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return `content length ${length}`
  const end = bodyStart + Number(length ?? 0)
  if (input.length < end) return undefined
  return { request: { ...request, body: input.subarray(bodyStart, end), trailers: '' }, length: end }
}

/** A strict reading of a chunked body. */
export function readChunked(
  input: Buffer,
  start: number,
): { readonly body: Buffer; readonly trailers: string; readonly end: number } | string | undefined {
  const pieces: Buffer[] = []
  let at = start
  for (;;) {
    const lineEnd = input.indexOf('\r\n', at, 'latin1')
    if (lineEnd < 0) return undefined
    const line = input.toString('latin1', at, lineEnd)
    if (!/^[0-9a-fA-F]{1,13}$/.test(line)) return `chunk size ${JSON.stringify(line)}`
    const size = parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (input.length < at + size + 2) return undefined
    pieces.push(input.subarray(at, at + size))
    if (input.toString('latin1', at + size, at + size + 2) !== '\r\n') return 'a chunk does not end with CR LF'
    at += size + 2
  }
  if (input.toString('latin1', at, at + 2) === '\r\n') return { body: Buffer.concat(pieces), trailers: '', end: at + 2 }
  const end = input.indexOf('\r\n\r\n', at, 'latin1')
  if (end < 0) return undefined
  return { body: Buffer.concat(pieces), trailers: input.toString('latin1', at, end), end: end + 4 }
}

// --- the client -----------------------------------------------------------------------------------------------------

/** An answer as the client read it. */
export interface SeenAnswer {
  readonly status: number
  readonly line: string
  readonly fields: readonly (readonly [string, string])[]
  readonly body: Buffer
  readonly text: string
  readonly trailers: string
}

export class RawClient {
  readonly socket: Socket
  readonly #chunks: Buffer[] = []
  #consumed = 0
  /** The other side has sent its end. */
  ended = false
  closed = false
  errorCode: string | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk))
    socket.on('end', () => {
      this.ended = true
      // libuv tells a reset that comes with data as an end. A write of nothing sends nothing, and fails after a reset.
      socket.write(Buffer.alloc(0))
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errorCode = error.code
    })
    socket.on('close', () => {
      this.closed = true
    })
  }

  static to(port: number): Promise<RawClient> {
    return RawClient.#opened(connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }), 'connect')
  }

  /** Whoever it is: certificates are the business of other tests. */
  static toTls(port: number): Promise<RawClient> {
    return RawClient.#opened(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), 'secureConnect')
  }

  static async #opened(socket: Socket, event: string): Promise<RawClient> {
    const client = new RawClient(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve)
      socket.once('error', reject)
    })
    return client
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Everything that came and was not taken by `answer`. */
  get rest(): Buffer {
    return Buffer.concat(this.#chunks).subarray(this.#consumed)
  }

  get text(): string {
    return this.rest.toString('latin1')
  }

  /** This many bytes of `rest` have been read by somebody else. */
  take(bytes: number): void {
    this.#consumed += bytes
  }

  /** The next answer; interim answers count. `method`: of the request, since an answer to HEAD has no body. */
  async answer(method = 'GET', withinMs = 10_000): Promise<SeenAnswer> {
    return eventually(
      'an answer',
      () => {
        const read = readAnswer(this.rest, method, this.ended || this.closed)
        if (read === undefined) {
          if (this.ended || this.closed)
            throw new Error(`closed (${this.errorCode ?? 'orderly'}) before the answer was whole: ${JSON.stringify(this.text.slice(0, 500))}`)
          return undefined
        }
        this.#consumed += read.length
        return read.answer
      },
      withinMs,
    )
  }

  async end(): Promise<void> {
    await eventually('the end of the connection', () => this.ended || this.closed)
  }

  destroy(): void {
    this.socket.destroy()
  }
}

export function readAnswer(input: Buffer, method: string, ended: boolean): { readonly answer: SeenAnswer; readonly length: number } | undefined {
  const headEnd = input.indexOf('\r\n\r\n', 0, 'latin1')
  if (headEnd < 0) return undefined
  const [line = '', ...lines] = input.toString('latin1', 0, headEnd).split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: .*)?$/.exec(line)?.[1]
  if (status === undefined) throw new Error(`not a status line: ${JSON.stringify(line)}`)
  const fields = lines.map((each): [string, string] => [each.slice(0, each.indexOf(':')).toLowerCase(), each.slice(each.indexOf(':') + 1).trim()])
  const field = (name: string): string | undefined => fields.find(([each]) => each === name)?.[1]
  const start = headEnd + 4
  const made = (body: Buffer, end: number, trailers = '') => ({
    answer: { status: Number(status), line, fields, body, text: body.toString('latin1'), trailers },
    length: end,
  })
  if (method === 'HEAD' || Number(status) < 200 || status === '204' || status === '304') return made(Buffer.alloc(0), start)
  if (field('transfer-encoding') === 'chunked') {
    const read = readChunked(input, start)
    if (typeof read === 'string') throw new Error(read)
    return read && made(read.body, read.end, read.trailers)
  }
  const length = field('content-length')
  if (length !== undefined) {
    const end = start + Number(length)
    return input.length < end ? undefined : made(input.subarray(start, end), end)
  }
  return ended ? made(input.subarray(start), input.length) : undefined
}

/** One request on a connection of its own. */
export async function ask(port: number, request: string | Buffer, method = 'GET'): Promise<SeenAnswer> {
  const client = await RawClient.to(port)
  client.send(request)
  try {
    return await client.answer(method)
  } finally {
    client.destroy()
  }
}

export const get = (path = '/', fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
export const post = (body: string, fields = '', path = '/'): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}Content-Length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`
