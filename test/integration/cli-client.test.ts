/** The CLI's client against a stub of the API on a real socket, and how it finds the control process on a real disk. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ApiClient } from '../../src/cli/client.ts'
import { candidateDirectories, type Where } from '../../src/cli/configuration.ts'
import { connect } from '../../src/cli/connect.ts'
import { ApiError } from '../../src/cli/errors.ts'
import { HoldfastError } from '../../src/kernel/errors.ts'

interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let server: Server
let url: string
let asked: Asked[]
let answer: (request: Asked, response: ServerResponse) => void
let directory: string
const clients: ApiClient[] = []

beforeEach(async () => {
  asked = []
  directory = mkdtempSync(path.join(tmpdir(), 'holdfast-cli-'))
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      answer(one, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(directory, { recursive: true, force: true })
})

function client(token?: string, at = url): ApiClient {
  const made = new ApiClient({ url: at, token, unreachable: (cause) => new HoldfastError('not_running', 'not running', { cause }) })
  clients.push(made)
  return made
}

function json(status: number, body: unknown): typeof answer {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

describe('ApiClient', () => {
  it('sends a token as Bearer, an API key in its own field, and only what was given', async () => {
    answer = json(200, { success: true, data: { id: '1' } })
    await client('ey.J.x').scale('shop', 3, undefined)
    await client('hf_id_secret_sum').overview()
    await client().logs('my shop', { since: 5, grep: 'a&b' })
    expect(asked.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', '/api/infrastructure/scaling/scale', '{"service":"shop","instances":3}'],
      ['GET', '/api/infrastructure/overview', ''],
      ['GET', '/api/infrastructure/services/my%20shop/logs?since=5&grep=a%26b', ''],
    ])
    expect(asked.map(({ headers }) => [headers.authorization, headers['x-api-key']])).toEqual([
      ['Bearer ey.J.x', undefined],
      [undefined, 'hf_id_secret_sum'],
      [undefined, undefined],
    ])
  })

  it("turns refusals into errors with the server's code, message, hint and details", async () => {
    answer = json(404, {
      success: false,
      error: { code: 'unknown_service', message: 'no service "x"', hint: 'see status', details: { known: ['shop'] } },
    })
    const error = await client()
      .service('x')
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: 404, code: 'unknown_service', message: 'no service "x"', hint: 'see status', details: { known: ['shop'] } })
  })

  it('says what to do about a missing credential', async () => {
    answer = json(401, { success: false, error: { code: 'unauthorized', message: 'a credential is needed', details: null } })
    await expect(client().overview()).rejects.toMatchObject({ status: 401, hint: 'give a token with --token or HOLDFAST_TOKEN' })
  })

  it('is not fooled by something else that listens there', async () => {
    answer = (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    await expect(client().overview()).rejects.toMatchObject({ code: 'unexpected_answer', hint: 'is this the address of a holdfast API?' })
    answer = json(200, { hello: 'world' })
    await expect(client().overview()).rejects.toMatchObject({ code: 'unexpected_answer' })
    answer = json(502, null)
    await expect(client().overview()).rejects.toMatchObject({ code: 'unexpected_answer', status: 502 })
  })

  it('tells nobody there from somebody who says no', async () => {
    await expect(client(undefined, 'http://127.0.0.1:1').overview()).rejects.toMatchObject({ code: 'not_running' })
    answer = (_request, response) => response.destroy()
    await expect(client().overview()).rejects.toMatchObject({ code: 'not_running' })
  })

  it('reads readiness with its reasons', async () => {
    answer = json(503, {
      success: false,
      error: { code: 'not_ready', message: 'not ready', details: { reasons: ['shop: none of 3 instances is ready'] } },
    })
    expect(await client().readiness()).toEqual({ ready: false, reasons: ['shop: none of 3 instances is ready'] })
    answer = json(200, { success: true, data: { ready: true } })
    expect(await client().readiness()).toEqual({ ready: true, reasons: [] })
  })

  it('follows a stream: items, a gap, an error, and the end of the connection', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('retry: 2000\n\nevent: gap\ndata: {}\n\nid: 8\ndata: {"seq":8}\n\n: still here\n\nid: 9\ndata: {"seq":9}\n\n')
      setTimeout(() => response.destroy(), 20)
    }
    let gaps = 0
    const follow = { afterSeq: 7, onGap: () => void (gaps += 1), signal: new AbortController().signal }
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of await client().followEvents({ service: 'shop' }, follow)) seen.push(event.seq)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'not_running' })
    expect([seen, gaps, asked[0]?.headers['last-event-id'], asked[0]?.url]).toEqual([
      [8, 9],
      1,
      '7',
      '/api/infrastructure/events/stream?service=shop',
    ])

    answer = (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end('event: error\ndata: {"code":"unauthorized","message":"ended"}\n\n')
    const refused = (async () => {
      for await (const event of await client().followEvents({}, follow)) seen.push(event.seq)
    })()
    await expect(refused).rejects.toMatchObject({ status: 401, message: 'ended' })
  })

  it('ends a stream quietly when it is interrupted', async () => {
    const controller = new AbortController()
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: {"text":"a"}\n\n')
    }
    const seen: string[] = []
    for await (const line of await client().followLogs('shop', {}, controller.signal)) {
      seen.push(line.text)
      controller.abort()
    }
    expect(seen).toEqual(['a'])
  })
})

describe('connect', () => {
  const goodConfig = 'data: ./data\nservices:\n  web:\n    command: node server.js\n'

  function where(options: Partial<Where['options']> = {}, env: NodeJS.ProcessEnv = {}): Where {
    return { cwd: directory, env, options: { config: undefined, url: undefined, token: undefined, ...options } }
  }

  function leaveControlFile(data: string, content: unknown): void {
    mkdirSync(path.join(directory, data, 'run'), { recursive: true })
    writeFileSync(path.join(directory, data, 'run/control.json'), typeof content === 'string' ? content : JSON.stringify(content))
  }

  async function authorizationSentBy(target: Where): Promise<string | undefined> {
    answer = json(200, { success: true, data: {} })
    const found = connect(target)
    clients.push(found)
    await found.overview()
    return asked.at(-1)?.headers.authorization
  }

  it('finds address and token in the data directory of the configuration, else in ./.holdfast', async () => {
    leaveControlFile('.holdfast', { url, token: 'fallback', pid: 1 })
    expect(await authorizationSentBy(where())).toBe('Bearer fallback')
    writeFileSync(path.join(directory, 'holdfast.yml'), goodConfig)
    expect(await authorizationSentBy(where())).toBe('Bearer fallback')
    leaveControlFile('data', { url, token: 'configured', pid: 1 })
    expect(await authorizationSentBy(where())).toBe('Bearer configured')
  })

  it('finds the data directory of a broken configuration, too', async () => {
    writeFileSync(path.join(directory, 'holdfast.yml'), 'data: ./data\nservices: 17\n')
    leaveControlFile('data', { url, token: 'broken', pid: 1 })
    expect(await authorizationSentBy(where())).toBe('Bearer broken')
    expect(candidateDirectories(where())).toEqual({
      dataDirectories: [path.join(directory, 'data'), path.join(directory, '.holdfast')],
      configFile: undefined,
    })
  })

  it('looks nowhere else when a usable configuration is named', () => {
    writeFileSync(path.join(directory, 'mine.yml'), goodConfig)
    leaveControlFile('.holdfast', { url, token: 'of another system', pid: 1 })
    expect(() => connect(where({ config: 'mine.yml' }))).toThrow(`holdfast is not running in ${path.join(directory, 'data')}`)
  })

  it('prefers what is typed, then the environment, then the file', async () => {
    leaveControlFile('.holdfast', { url, token: 'file', pid: 1 })
    expect(await authorizationSentBy(where({ token: 'typed' }, { HOLDFAST_TOKEN: 'environment' }))).toBe('Bearer typed')
    expect(await authorizationSentBy(where({}, { HOLDFAST_TOKEN: 'environment' }))).toBe('Bearer environment')
    expect(await authorizationSentBy(where({}, { HOLDFAST_TOKEN: '', HOLDFAST_URL: '' }))).toBe('Bearer file')
  })

  it("sends this machine's token to the address it belongs to, and to no other", async () => {
    leaveControlFile('.holdfast', { url: 'http://127.0.0.1:1', token: 'secret', pid: 1 })
    expect(await authorizationSentBy(where({ url }))).toBeUndefined()
    leaveControlFile('.holdfast', { url, token: 'secret', pid: 1 })
    expect(await authorizationSentBy(where({ url: `${url}/` }))).toBe('Bearer secret')
    expect(await authorizationSentBy(where({ url: `${url}/api/infrastructure` }))).toBe('Bearer secret')
    expect(asked.at(-1)?.url).toBe('/api/infrastructure/overview')
  })

  it('refuses addresses that are none', () => {
    for (const bad of ['127.0.0.1:3006', 'ftp://x', 'http://', 'http://u:p@x']) expect(() => connect(where({ url: bad })), bad).toThrow(/^--url:/)
  })

  it('says what is wrong with a control file that cannot be read', () => {
    for (const bad of ['{', '[]', '{"url":"x","token":"t","pid":1}', '{"url":"http://x","token":"t","pid":-1}']) {
      leaveControlFile('.holdfast', bad)
      expect(() => connect(where()), bad).toThrow(path.join(directory, '.holdfast/run/control.json'))
    }
  })
})
