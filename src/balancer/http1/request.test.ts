import { describe, expect, it } from 'vitest'
import { Head, HeadError, parseRequestHead } from './head.ts'
import { forwardedBlock, hasVia, hostOf, readRequest, RequestFacts, requestHeadGrowthMax, writeRequestHead } from './request.ts'

const forwarded = forwardedBlock({ address: '10.0.0.9', port: 80, scheme: 'http', host: 'a', pseudonym: 'us', version: '1.1' })

/** Parses and reads; the facts, or the error. */
function read(text: string, facts = new RequestFacts()): { error: number; facts: RequestFacts; head: Head; buffer: Buffer } {
  const buffer = Buffer.from(text, 'latin1')
  const head = new Head()
  const parsed = parseRequestHead(buffer, 0, buffer.length, head)
  expect(parsed).toBeGreaterThan(0)
  return { error: readRequest(head, buffer, facts), facts, head, buffer }
}

/** What the origin gets, without the fields of ours. */
function written(text: string, target?: string): string | number {
  const { error, facts, head, buffer } = read(text)
  expect(error).toBe(0)
  const out = Buffer.alloc(buffer.length + forwarded.length + requestHeadGrowthMax)
  const end = writeRequestHead(out, 0, head, buffer, facts, { target: target ?? facts.target, defaultHost: 'default', forwarded, requestId: 'id-1' })
  if (end < 0) return end
  const whole = out.toString('latin1', 0, end)
  expect(whole).toContain(forwarded.toString('latin1'))
  return whole.replace(forwarded.toString('latin1'), '').replace('X-Request-Id: id-1\r\n', '')
}

const get = (fields: string, line = 'GET / HTTP/1.1'): string => `${line}\r\nHost: a\r\n${fields}\r\n`

describe('the host', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com:8080', 'example.com'],
    ['example.com:', 'example.com'],
    ['example.com.', 'example.com'],
    ['a_b.c', 'a_b.c'],
    ['127.0.0.1:1', '127.0.0.1'],
    ['[::1]', '[::1]'],
    ['[2001:DB8::1]:443', '[2001:db8::1]'],
    ['x%20y', 'x%20y'],
  ])('%s is %s', (authority, host) => {
    expect(hostOf(authority)).toBe(host)
  })

  it.each(['', 'a,b', 'u@a', 'a b', 'a/b', '[::1', '::1', '[::1]x', '[g::1]', 'a:b', 'a:99999', 'a:-1', 'a:1:2', ':80', '%zz', 'a\x80', 'a?b'])(
    '%j is refused',
    (authority) => {
      expect(hostOf(authority)).toBeUndefined()
    },
  )

  it('must be there in HTTP/1.1 and may be missing in HTTP/1.0, also behind another request', () => {
    expect(read('GET / HTTP/1.1\r\n\r\n').error).toBe(HeadError.host)
    const facts = new RequestFacts()
    read(get(''), facts)
    expect(facts.host).toBe('a')
    expect(read('GET / HTTP/1.0\r\n\r\n', facts).error).toBe(0)
    expect(facts).toMatchObject({ host: '', hostValue: '', keepAlive: false })
    expect(read('GET / HTTP/1.1\r\nHost: \r\n\r\n', facts).error).toBe(HeadError.host)
  })
})

describe('the target', () => {
  it.each([
    ['GET http://b.test:81/x?y HTTP/1.1', '/x?y', 'b.test', 'b.test:81'],
    ['GET HTTPS://b HTTP/1.1', '/', 'b', 'b'],
    ['GET http://b?q HTTP/1.1', '/?q', 'b', 'b'],
    ['OPTIONS http://b HTTP/1.1', '*', 'b', 'b'],
  ])('%s replaces Host', (line, target, host, value) => {
    expect(read(get('', line)).facts).toMatchObject({ target, host, hostValue: value, hostReplaced: true })
    expect(written(get('X: y\r\n', line))).toBe(`${line.split(' ')[0]} ${target} HTTP/1.1\r\nX: y\r\nHost: ${value}\r\n\r\n`)
  })

  it.each(['GET * HTTP/1.1', 'GET a HTTP/1.1', 'GET http:// HTTP/1.1', 'GET http://u@b/ HTTP/1.1', 'GET ftp://b/ HTTP/1.1', 'CONNECT a/b HTTP/1.1'])(
    '%s is refused',
    (line) => {
      expect(read(get('', line)).error).toBe(HeadError.target)
    },
  )

  it.each(['OPTIONS * HTTP/1.1', 'CONNECT a:443 HTTP/1.1', 'GET //b/c HTTP/1.1'])('%s is read', (line) => {
    expect(read(get('', line)).error).toBe(0)
  })
})

describe('Connection', () => {
  it.each([
    ['', 'HTTP/1.1', true],
    ['Connection: close\r\n', 'HTTP/1.1', false],
    ['Connection: keep-alive, Close\r\n', 'HTTP/1.1', false],
    ['', 'HTTP/1.0', false],
    ['Connection: Keep-Alive\r\n', 'HTTP/1.0', true],
    ['Connection: x\r\nConnection: keep-alive\r\n', 'HTTP/1.0', true],
  ])('%j in %s: kept %s', (fields, version, kept) => {
    expect(read(get(fields, `GET / ${version}`)).facts.keepAlive).toBe(kept)
  })

  it('removes what it names, also fields that we know, and everything hop-by-hop', () => {
    const fields =
      'Connection: X-One, accept\r\nX-One: 1\r\nAccept: b\r\nX-Two: 2\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\nTE: gzip\r\nTrailer: A\r\nProxy-Authorization: b\r\n'
    expect(written(get(fields))).toBe('GET / HTTP/1.1\r\nHost: a\r\nX-Two: 2\r\n\r\n')
  })

  it.each(['Host', 'Cookie', 'Authorization', 'Content-Length', 'X-Forwarded-For', 'Via', 'x-request-id'])('may not name %s', (name) => {
    expect(read(get(`Connection: ${name}\r\n`)).error).toBe(HeadError.connectionOption)
  })
})

describe('upgrades', () => {
  it.each([
    ['Connection: Upgrade\r\nUpgrade: websocket\r\n', 'websocket'],
    ['Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n', 'WebSocket'],
    ['Upgrade: websocket\r\n', undefined],
    ['Connection: Upgrade\r\n', undefined],
    ['Connection: Upgrade\r\nUpgrade: h2c\r\n', undefined],
    ['Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n', undefined],
    ['Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n', undefined],
  ])('%j asks for %s', (fields, protocol) => {
    const { facts } = read(get(fields))
    expect(facts.upgrade).toBe(protocol)
    const tail = protocol === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`
    expect(written(get(fields))).toBe(`GET / HTTP/1.1\r\nHost: a\r\n${tail}\r\n`)
  })

  it('are not for HTTP/1.0', () => {
    expect(read(get('Connection: Upgrade\r\nUpgrade: websocket\r\n', 'GET / HTTP/1.0')).facts.upgrade).toBeUndefined()
  })
})

describe('what is forwarded', () => {
  it('is the original bytes where nothing changes', () => {
    const text = get('Accept: */*\r\nCookie: a=b; c=d\r\nX-Bytes: \x80\xff\r\nContent-Length: 5\r\n', 'POST /p?q=%20 HTTP/1.1')
    expect(written(text)).toBe(text)
  })

  it('has no odd white space, and the version that we speak', () => {
    expect(written(get('A:b\r\nB: \t c \t\r\nC:\r\nD: \r\n', 'GET / HTTP/1.0'))).toBe(
      'GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nB: c\r\nC: \r\nD: \r\n\r\n',
    )
  })

  it('has a Host even when the client gave none, chunked framing written anew, and TE only for trailers', () => {
    expect(written('GET / HTTP/1.0\r\n\r\n')).toBe('GET / HTTP/1.1\r\nHost: default\r\n\r\n')
    expect(written(get('Transfer-Encoding: Chunked\r\n'))).toBe('GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(written(get('TE: trailers, gzip\r\nConnection: TE\r\n'))).toBe('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n')
    expect(written(get(''), '/stripped')).toBe('GET /stripped HTTP/1.1\r\nHost: a\r\n\r\n')
  })

  it('says nothing that only we may say', () => {
    const lies = [
      'X-Forwarded-For',
      'x-forwarded-PROTO',
      'X-Forwarded-Host',
      'X-Forwarded-Port',
      'Forwarded',
      'X-Real-IP',
      'X-Request-Id',
      'X_Forwarded_For',
      'X.Real.IP',
      'x-forwarded_proto',
    ]
    expect(written(get(lies.map((name) => `${name}: lie\r\n`).join('')))).toBe('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  })

  it.each([
    'Content_Length',
    'content.length',
    'Transfer_Encoding',
    'Transfer---Encoding',
    'Transfer--Encoding',
    '_Host',
    'Host_',
    'Content-Length-',
    '-Transfer-Encoding',
    "Transfer'Encoding",
    'Content-Length$',
  ])('is nothing when %s imitates framing', (name) => {
    expect(written(get(`${name}: 5\r\n`))).toBe(HeadError.lookAlike)
  })

  it.each(["My.Custom.Header.!#$%&'*+^_`|~0123456789", 'X_Custom', 'X--Y', 'Content-Lengthy', 'Hosts'])('may be called %s', (name) => {
    expect(written(get(`${name}: 5\r\n`))).toBe(`GET / HTTP/1.1\r\nHost: a\r\n${name}: 5\r\n\r\n`)
  })
})

describe('facts', () => {
  it.each([
    ['GET', true],
    ['HEAD', true],
    ['PUT', true],
    ['DELETE', true],
    ['OPTIONS', true],
    ['POST', false],
    ['PATCH', false],
    ['get', false],
    ['LOCK', false],
  ])('%s is idempotent: %s', (method, idempotent) => {
    expect(read(get('', `${method} / HTTP/1.1`)).facts.idempotent).toBe(idempotent)
  })

  it.each([
    ['Expect: 100-Continue\r\nContent-Length: 5\r\n', 'HTTP/1.1', true],
    ['Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n', 'HTTP/1.1', true],
    ['Expect: 100-continue\r\n', 'HTTP/1.1', false],
    ['Expect: 100-continue\r\nContent-Length: 5\r\n', 'HTTP/1.0', false],
  ])('%j in %s waits for 100: %s', (fields, version, waits) => {
    expect(read(get(fields, `POST / ${version}`)).facts.expectsContinue).toBe(waits)
  })

  it('other expectations, and two of them, are refused', () => {
    expect(read(get('Expect: 200-ok\r\n')).error).toBe(HeadError.expectation)
    expect(read(get('Expect: 100-continue\r\nExpect: 100-continue\r\n')).error).toBe(HeadError.expectation)
  })

  it('a body is none, counted or chunked', () => {
    expect(read(get('')).facts.bodyLength).toBe(0)
    expect(read(get('Content-Length: 7\r\n')).facts).toMatchObject({ bodyLength: 7, hasLength: true })
    expect(read(get('Transfer-Encoding: chunked\r\n')).facts.bodyLength).toBe(-1)
  })
})

describe('where it came from', () => {
  it('is said in every usual way', () => {
    const block = forwardedBlock({ address: '2001:db8::1', port: 8443, scheme: 'https', host: 'a:8443', pseudonym: 'us', version: '1.0' }).toString()
    expect(block).toBe(
      'X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a:8443\r\nX-Forwarded-Port: 8443\r\nForwarded: for="[2001:db8::1]";proto=https;host="a:8443"\r\nVia: 1.0 us\r\n',
    )
    expect(forwardedBlock({ address: '1.2.3.4', port: 80, scheme: 'http', host: '', pseudonym: 'us', version: '1.1' }).toString()).toBe(
      'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\nForwarded: for=1.2.3.4;proto=http\r\nVia: 1.1 us\r\n',
    )
  })

  it('is found again in Via', () => {
    const { head, buffer } = read(get('Via: 1.1 one\r\nVia: 1.1 two, 1.0 us\r\n'))
    expect(hasVia(head, buffer, 'us')).toBe(true)
    expect(hasVia(head, buffer, 'others')).toBe(false)
  })
})
