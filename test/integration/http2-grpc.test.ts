/** gRPC through the real proxy, by its own client and server: every kind of call, and what a call meets when its service is not there. */
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ClientDuplexStream,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { endpoint, eventually, freePort, service } from '../support/balancer-harness.ts'
import { Http2Client } from '../support/http2-client.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy } = useProxy({ per: 'file' })

const serialize = (text: string): Buffer => Buffer.from(text)
const deserialize = (bytes: Buffer): string => bytes.toString()
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: serialize,
  requestDeserialize: deserialize,
  responseSerialize: serialize,
  responseDeserialize: deserialize,
})
const echo = {
  unary: method('unary', false, false),
  list: method('list', false, true),
  sum: method('sum', true, false),
  chat: method('chat', true, true),
}

let server: Server
let port: number
let client: Client

beforeAll(async () => {
  server = new Server()
  server.addService(echo, {
    unary: (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) => {
      if (call.request === 'fail') {
        done({ code: status.FAILED_PRECONDITION, details: 'not today: 100 %' })
        return
      }
      if (call.request === 'never') return
      const trailers = new Metadata()
      trailers.set('x-trailer', 'last')
      call.sendMetadata(call.metadata)
      done(null, `you said ${call.request}`, trailers)
    },
    list: (call: ServerWritableStream<string, string>) => {
      for (const word of call.request.split(' ')) call.write(word)
      call.end()
    },
    sum: (call: ServerReadableStream<string, string>, done: sendUnaryData<string>) => {
      let all = ''
      call.on('data', (text: string) => {
        all += text
      })
      call.on('end', () => {
        done(null, all)
      })
    },
    chat: (call: ServerDuplexStream<string, string>) => {
      call.on('data', (text: string) => call.write(`re: ${text}`))
      call.on('end', () => {
        call.end()
      })
    },
  })
  port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error)
      else resolve(bound)
    })
  })
  client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure())
})
afterAll(() => {
  client.close()
  server.forceShutdown()
})

async function route(...ports: readonly number[]): Promise<void> {
  await proxy.apply({
    listeners: [{ name: 'web', host: '127.0.0.1', port: proxy.port, http2: true }],
    services: [
      service(
        ports.map((each) => endpoint(each, { http2: true })),
        { timeoutMs: 2_000 },
      ),
    ],
  })
}

interface Outcome {
  readonly error: ServiceError | null
  readonly value: string | undefined
  readonly metadata: Metadata | undefined
  readonly status: StatusObject
}

function unary(text: string, metadata = new Metadata(), deadlineMs = 10_000): Promise<Outcome> {
  return new Promise((resolve) => {
    let given: Metadata | undefined
    let answer: { error: ServiceError | null; value: string | undefined } | undefined
    const call = client.makeUnaryRequest(
      echo.unary.path,
      serialize,
      deserialize,
      text,
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, value) => {
        answer = { error, value }
      },
    )
    call.on('metadata', (seen: Metadata) => {
      given = seen
    })
    call.on('status', (seen: StatusObject) => {
      setImmediate(() => {
        resolve({ ...answer!, metadata: given, status: seen })
      })
    })
  })
}

const all = async (stream: AsyncIterable<unknown>): Promise<string[]> => {
  const texts: string[] = []
  for await (const text of stream) texts.push(String(text))
  return texts
}

describe('gRPC', () => {
  it('unary calls, with metadata and trailers both ways', async () => {
    await route(port)
    const metadata = new Metadata()
    metadata.set('x-call', 'mine')
    const outcome = await unary('hello', metadata)
    expect(outcome).toMatchObject({ error: null, value: 'you said hello' })
    expect(outcome.metadata?.get('x-call')).toEqual(['mine'])
    expect(outcome.status.metadata.get('x-trailer')).toEqual(['last'])
  })

  it('an error of the service, which is a head alone', async () => {
    await route(port)
    expect((await unary('fail')).status).toMatchObject({ code: status.FAILED_PRECONDITION, details: 'not today: 100 %' })
  })

  it('streams of the server, of the client, and of both', async () => {
    await route(port)
    expect(await all(client.makeServerStreamRequest(echo.list.path, serialize, deserialize, 'a b c'))).toEqual(['a', 'b', 'c'])
    const sum = await new Promise<string | undefined>((resolve, reject) => {
      const call = client.makeClientStreamRequest(echo.sum.path, serialize, deserialize, (error, value) => {
        if (error) reject(error)
        else resolve(value)
      })
      for (const text of ['x', 'y', 'z']) call.write(text)
      call.end()
    })
    expect(sum).toBe('xyz')
    const chat: ClientDuplexStream<string, string> = client.makeBidiStreamRequest(echo.chat.path, serialize, deserialize)
    const heard: string[] = []
    chat.on('data', (text: string) => heard.push(text))
    for (const text of ['one', 'two', 'three']) {
      chat.write(text)
      await eventually(`an answer to ${text}`, () => heard.at(-1) === `re: ${text}`)
    }
    const ended = new Promise<StatusObject>((resolve) => chat.on('status', resolve))
    chat.end()
    expect((await ended).code).toBe(status.OK)
  })

  it('1,000 messages each way', async () => {
    await route(port)
    const chat: ClientDuplexStream<string, string> = client.makeBidiStreamRequest(echo.chat.path, serialize, deserialize)
    const heard = all(chat)
    for (let i = 0; i < 1_000; i++) chat.write(`${i}`)
    chat.end()
    expect(await heard).toEqual(Array.from({ length: 1_000 }, (_, i) => `re: ${i}`))
  })

  it('a deadline of the client ends the call at the service', async () => {
    await route(port)
    expect((await unary('never', new Metadata(), 200)).status.code).toBe(status.DEADLINE_EXCEEDED)
  })
})

describe('a call that cannot be served', () => {
  const open: Http2Client[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()))
  })

  it('is UNAVAILABLE when nobody is there, and DEADLINE_EXCEEDED when the service does not answer', async () => {
    await route(await freePort())
    expect((await unary('hello')).status).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('refused') as string })
    await route()
    expect((await unary('hello')).status.code).toBe(status.UNAVAILABLE)
    await route(port)
    expect((await unary('never')).status).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: expect.stringContaining('did not answer in time') as string,
    })
  })

  it('is told so with HTTP 200, in a head alone', async () => {
    await route(await freePort())
    const raw = await Http2Client.to(`http://127.0.0.1:${proxy.port}`)
    open.push(raw)
    const answer = await raw.ask({ ':method': 'POST', 'content-type': 'application/grpc+proto', te: 'trailers' }, Buffer.from([0, 0, 0, 0, 0]))
    expect(answer).toMatchObject({ status: 200, text: '', code: 0, headers: { 'grpc-status': '14', 'content-type': 'application/grpc' } })
    expect(answer.headers['proxy-status']).toContain('connection_refused')
    const plain = await raw.ask({ ':method': 'POST', 'content-type': 'application/json' }, '{}')
    expect(plain.status).toBe(502)
  })
})
