import { describe, expect, it } from 'vitest'
import { Head, parseResponseHead } from './head.ts'
import {
  acceptsUpgrade,
  keepAliveHint,
  originKeepsAlive,
  responseFraming,
  responseHeadGrowthMax,
  writeResponseHead,
  type ResponseHeadOptions,
} from './response.ts'

function parse(text: string): { head: Head; buffer: Buffer } {
  const buffer = Buffer.from(text, 'latin1')
  const head = new Head()
  expect(parseResponseHead(buffer, 0, buffer.length, head)).toBe(buffer.length)
  return { head, buffer }
}

const answer = (fields: string, line = 'HTTP/1.1 200 OK'): string => `${line}\r\n${fields}\r\n`

const usual: ResponseHeadOptions = {
  via: Buffer.from('Via: 1.1 us\r\n'),
  requestId: 'id-1',
  connection: 'none',
  chunked: false,
  dropLength: false,
  upgrade: undefined,
}

function written(text: string, options: Partial<ResponseHeadOptions> = {}): string {
  const { head, buffer } = parse(text)
  const out = Buffer.alloc(buffer.length + responseHeadGrowthMax)
  return out.toString('latin1', 0, writeResponseHead(out, 0, head, buffer, { ...usual, ...options }))
}

const tail = 'Via: 1.1 us\r\nX-Request-Id: id-1\r\n'

describe('the framing of an answer', () => {
  it.each([
    ['GET', answer('Content-Length: 5\r\n'), 'length'],
    ['GET', answer('Content-Length: 0\r\n'), 'none'],
    ['GET', answer('Transfer-Encoding: chunked\r\n'), 'chunked'],
    ['GET', answer(''), 'untilClose'],
    ['GET', answer('', 'HTTP/1.0 200 OK'), 'untilClose'],
    ['HEAD', answer('Content-Length: 5\r\n'), 'none'],
    ['HEAD', answer('Transfer-Encoding: chunked\r\n'), 'none'],
    ['GET', answer('Content-Length: 5\r\n', 'HTTP/1.1 204 No Content'), 'none'],
    ['GET', answer('Content-Length: 5\r\n', 'HTTP/1.1 304 Not Modified'), 'none'],
    ['GET', answer('', 'HTTP/1.1 103 Early Hints'), 'none'],
  ])('to %s: %j is %s', (method, text, framing) => {
    expect(responseFraming(parse(text).head, method)).toBe(framing)
  })
})

describe('the connection to the origin', () => {
  it.each([
    [answer('Content-Length: 5\r\n'), true],
    [answer('Connection: close\r\n'), false],
    [answer('Connection: CLOSE\r\n'), false],
    [answer('Connection: x\r\nConnection: close\r\n'), false],
    [answer('Connection: x, keep-alive\r\n'), true],
    [answer('', 'HTTP/1.0 200 OK'), false],
    [answer('Connection: keep-alive\r\n', 'HTTP/1.0 200 OK'), true],
    [answer('', 'HTTP/1.1 204 No Content'), true],
    [answer('Content-Length: 0\r\n', 'HTTP/1.1 204 No Content'), true],
    [answer('Content-Length: 5\r\n', 'HTTP/1.1 204 No Content'), false],
    [answer('Transfer-Encoding: chunked\r\n', 'HTTP/1.1 204 No Content'), false],
  ])('%j can be used again: %s', (text, keeps) => {
    const { head, buffer } = parse(text)
    expect(originKeepsAlive(head, buffer)).toBe(keeps)
  })

  it.each([
    ['timeout=5', 5],
    ['max=100, Timeout=60', 60],
    ['max=5', undefined],
    ['timeout=never', undefined],
    ['xtimeout=5', undefined],
  ])('Keep-Alive: %s is a hint of %s', (value, hint) => {
    const { head, buffer } = parse(answer(`Keep-Alive: ${value}\r\n`))
    expect(keepAliveHint(head, buffer)).toBe(hint)
  })
})

describe('what the client gets', () => {
  it('is the original bytes where nothing changes, and our fields', () => {
    expect(written(answer('Content-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n'))).toBe(
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n${tail}\r\n`,
    )
  })

  it('has our version, no odd white space, nothing hop-by-hop and nothing that Connection names', () => {
    expect(
      written(
        answer(
          'A:b\r\nConnection: X-One, alt-svc\r\nX-One: 1\r\nAlt-Svc: h3\r\nKeep-Alive: timeout=5\r\nX-Request-Id: theirs\r\n',
          'HTTP/1.0 200 OK',
        ),
      ),
    ).toBe(`HTTP/1.1 200 OK\r\nA: b\r\n${tail}\r\n`)
  })

  it('keeps its length even when the origin calls it hop-by-hop', () => {
    expect(written(answer('Connection: content-length\r\nContent-Length: 5\r\n'))).toContain('Content-Length: 5')
  })

  it('is framed as it leaves', () => {
    expect(written(answer('Content-Length: 5\r\n'), { chunked: true, dropLength: true, connection: 'close' })).toBe(
      `HTTP/1.1 200 OK\r\n${tail}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    expect(written(answer(''), { connection: 'keepAlive' })).toContain('Connection: keep-alive\r\n')
    expect(written(answer('Upgrade: x\r\nConnection: Upgrade\r\n', 'HTTP/1.1 101 Switching Protocols'), { upgrade: 'websocket' })).toBe(
      `HTTP/1.1 101 Switching Protocols\r\n${tail}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
  })
})

describe('an upgrade', () => {
  it.each([
    ['Upgrade: websocket\r\n', 'WebSocket', true],
    ['Upgrade: other\r\n', 'websocket', false],
    ['', 'websocket', false],
    ['Upgrade: websocket\r\n', undefined, false],
    ['Upgrade: websocket\r\nUpgrade: websocket\r\n', 'websocket', false],
  ])('%j accepts %s: %s', (fields, asked, accepted) => {
    const { head, buffer } = parse(answer(fields, 'HTTP/1.1 101 Switching Protocols'))
    expect(acceptsUpgrade(head, buffer, asked)).toBe(accepted)
  })
})
