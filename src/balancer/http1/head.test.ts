import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldText, findField, Head, HeadError, headErrorSentence, parseRequestHead, parseResponseHead } from './head.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

function request(text: string): { result: number; head: Head; buffer: Buffer } {
  const buffer = bytes(text)
  const head = new Head()
  return { result: parseRequestHead(buffer, 0, buffer.length, head), head, buffer }
}

function response(text: string): { result: number; head: Head } {
  const buffer = bytes(text)
  const head = new Head()
  return { result: parseResponseHead(buffer, 0, buffer.length, head), head }
}

/** Any bytes, as text of one character each. */
const octets = (maxLength: number): fc.Arbitrary<string> => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each).toString('latin1'))

const withFields = (fields: string): string => `POST /a HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

describe('a request head', () => {
  it('is read in place', () => {
    const text = 'GET /a/b?c=%20d HTTP/1.1\r\nHost: example.com:8080\r\nContent-Length: 12\r\nX-Odd:\t one two \t\r\nX-Empty:\r\n\r\nrest'
    const { result, head, buffer } = request(text)
    expect(result).toBe(text.length - 4)
    expect(head).toMatchObject({ method: 'GET', minor: 1, fieldCount: 4, contentLength: 12, chunked: false })
    expect(buffer.toString('latin1', head.targetStart, head.targetEnd)).toBe('/a/b?c=%20d')
    expect(fieldText(head, buffer, head.host)).toBe('example.com:8080')
    expect(findField(head, buffer, 'x-odd')).toBe('one two')
    expect(findField(head, buffer, 'x-empty')).toBe('')
    expect(findField(head, buffer, 'x-none')).toBeUndefined()
  })

  it.each([
    ['HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'],
    ['absolute form', 'GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['one empty line before', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method of its own', 'BASELINE-CONTROL / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a lower-case method', 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['every token byte in a name', withFields("!#$%&'*+-.^_`|~09azAZ: x\r\n")],
    ['obs-text in a value', withFields('A: \x80\xff\r\n')],
    ['a tab within a value', withFields('A: b\tc\r\n')],
    ['colons in a value', withFields('A::b:c\r\n')],
    ['no white space before the value', withFields('A:b\r\n')],
    ['Content-Length 0', withFields('Content-Length: 0\r\n')],
    ['Content-Length of 15 digits', withFields('Content-Length: 999999999999999\r\n')],
    ['chunked in odd case', withFields('tRANSFER-eNCODING: cHUNKED\r\n')],
    ['many Connection lines', withFields('Connection: a\r\nConnection: b\r\nUpgrade: c\r\nUpgrade: d\r\n')],
    ['128 fields', `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(128)}\r\n`],
  ])('may have: %s', (_what, text) => {
    expect(request(text).result).toBe(text.length)
  })

  it.each([
    ['both lengths', withFields('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n'), HeadError.lengthAndEncoding],
    ['both lengths, the other way round', withFields('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), HeadError.lengthAndEncoding],
    ['two lengths that agree', withFields('Content-Length: 5\r\nContent-Length: 5\r\n'), HeadError.contentLength],
    ['a list of lengths', withFields('Content-Length: 5, 5\r\n'), HeadError.contentLength],
    ['a signed length', withFields('Content-Length: +5\r\n'), HeadError.contentLength],
    ['a negative length', withFields('Content-Length: -5\r\n'), HeadError.contentLength],
    ['a hexadecimal length', withFields('Content-Length: 0x5\r\n'), HeadError.contentLength],
    ['an empty length', withFields('Content-Length: \r\n'), HeadError.contentLength],
    ['a length with a space', withFields('Content-Length: 1 0\r\n'), HeadError.contentLength],
    ['a length of 16 digits', withFields('Content-Length: 1000000000000000\r\n'), HeadError.contentLength],
    ['a length beyond any double', withFields('Content-Length: 18446744073709551616\r\n'), HeadError.contentLength],
    ['chunked twice', withFields('Transfer-Encoding: chunked, chunked\r\n'), HeadError.transferEncoding],
    ['chunked in two lines', withFields('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'), HeadError.transferEncoding],
    ['chunked not last', withFields('Transfer-Encoding: chunked, identity\r\n'), HeadError.transferEncoding],
    ['identity', withFields('Transfer-Encoding: identity\r\n'), HeadError.transferEncoding],
    ['an empty coding', withFields('Transfer-Encoding:\r\n'), HeadError.transferEncoding],
    ['chunked with a parameter', withFields('Transfer-Encoding: chunked;a=b\r\n'), HeadError.transferEncoding],
    ['chunked with a tail', withFields('Transfer-Encoding: chunked\xa0\r\n'), HeadError.transferEncoding],
    ['an unknown coding before chunked', withFields('Transfer-Encoding: gzip, chunked\r\n'), HeadError.unknownCoding],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', HeadError.transferEncoding],
    ['a space before the colon', withFields('A : b\r\n'), HeadError.fieldName],
    ['a tab before the colon', withFields('A\t: b\r\n'), HeadError.fieldName],
    ['an empty name', withFields(': b\r\n'), HeadError.fieldName],
    ['no colon', withFields('A\r\n'), HeadError.fieldName],
    ['a control byte in a name', withFields('\x01A: b\r\n'), HeadError.fieldName],
    ['a high byte in a name', withFields('Tran\xc5\xbffer-Encoding: chunked\r\n'), HeadError.fieldName],
    ['white space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', HeadError.folded],
    ['a folded line', withFields('A: b\r\n c\r\n'), HeadError.folded],
    ['a line folded by a tab', withFields('A: b\r\n\tc\r\n'), HeadError.folded],
    ['a NUL in a value', withFields('A: b\0c\r\n'), HeadError.fieldValue],
    ['DEL in a value', withFields('A: \x7f\r\n'), HeadError.fieldValue],
    ['a bare CR in a value', withFields('A: b\rc\r\n'), HeadError.lineEnd],
    ['a bare LF behind a field', withFields('A: b\n'), HeadError.lineEnd],
    ['a bare LF behind a name', withFields('A\n'), HeadError.lineEnd],
    ['a bare LF behind the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', HeadError.lineEnd],
    ['a bare LF at the end', 'GET / HTTP/1.1\r\nHost: a\r\n\n', HeadError.lineEnd],
    ['CR without LF at the end', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', HeadError.lineEnd],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', HeadError.host],
    ['two spaces', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.requestLine],
    ['two spaces before the version', 'GET /  HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.version],
    ['a tab as separator', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.requestLine],
    ['white space before the method', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.requestLine],
    ['two empty lines before', '\r\n\r\nGET / HTTP/1.1\r\n\r\n', HeadError.requestLine],
    ['a method of 25 bytes', `${'A'.repeat(25)} / HTTP/1.1\r\n\r\n`, HeadError.requestLine],
    ['a space behind the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', HeadError.version],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', HeadError.version],
    ['HTTP/2.0', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', HeadError.version],
    ['http/1.1', 'GET / http/1.1\r\nHost: a\r\n\r\n', HeadError.version],
    ['HTTP/0.9', 'GET /\r\n\r\n', HeadError.target],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', HeadError.http2Preface],
    ['a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.target],
    ['raw UTF-8 in the target', 'GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.target],
    ['a control byte in the target', 'GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.target],
    ['a backslash in the target', 'GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n', HeadError.target],
    ['129 fields', `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(129)}\r\n`, HeadError.tooManyFields],
    ['more than 32 KiB', withFields(`A: ${'x'.repeat(32 * 1024)}\r\n`), HeadError.tooLarge],
    ['more than 32 KiB, and no end', `GET / HTTP/1.1\r\nA: ${'x'.repeat(33 * 1024)}`, HeadError.tooLarge],
    ['a target of more than 32 KiB', `GET /${'x'.repeat(33 * 1024)}`, HeadError.tooLarge],
  ])('may not have: %s', (_what, text, error) => {
    const { result } = request(text)
    expect(result).toBe(error)
    expect(headErrorSentence(result)).toMatch(/\w/)
  })

  it('says the same however the bytes are split: more is needed, until it is whole', () => {
    const valid = 'PUT /p?q HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\nConnection: x\r\nA:b\r\n\r\n'
    const whole = request(valid)
    for (let length = 0; length < valid.length; length++) {
      expect(parseRequestHead(bytes(valid), 0, length, new Head())).toBe(0)
    }
    const behind = bytes(`junk${valid}junk`)
    const head = new Head()
    expect(parseRequestHead(behind, 4, behind.length, head)).toBe(4 + whole.result)
    expect(head).toMatchObject({ contentLength: 3, fieldCount: 5, connection: whole.head.connection })
  })

  it('that is refused whole is never accepted in part', () => {
    const refused = withFields('A : b\r\nContent-Length: 5\r\n')
    for (let length = 0; length <= refused.length; length++) {
      expect(parseRequestHead(bytes(refused), 0, length, new Head())).toBeLessThanOrEqual(0)
    }
  })

  it('of random bytes never throws, and never ends outside of them', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'GET ',
        'POST ',
        '/',
        ' HTTP/1.1',
        ' HTTP/1.0',
        '\r\n',
        '\r',
        '\n',
        'Host: a',
        'Content-Length: ',
        'Transfer-Encoding: chunked',
        ':',
        ' ',
        '5',
        '\0',
      ),
      octets(6),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), fc.nat(8), (pieces, start) => {
        const buffer = bytes(pieces.join(''))
        const from = Math.min(start, buffer.length)
        for (const parse of [parseRequestHead, parseResponseHead]) {
          const head = new Head()
          const result = parse(buffer, from, buffer.length, head)
          expect(Number.isInteger(result)).toBe(true)
          if (result > 0) {
            expect(result).toBeLessThanOrEqual(buffer.length)
            expect(buffer.toString('latin1', result - 4, result)).toMatch(/\r\n\r\n$/)
            expect(head.chunked && head.contentLength >= 0).toBe(false)
          }
        }
      }),
      { numRuns: 3_000 },
    )
  })

  it('agrees with a second opinion: every line split by hand', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
    const value = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\x20-\x7e\t]{0,20}[\x21-\x7e])?$/)
    const known = new Set(['host', 'content-length', 'transfer-encoding'])
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Z]{1,10}$/),
        fc.stringMatching(/^\/[a-z0-9/?&=%.-]{0,30}$/),
        fc.array(fc.tuple(token, fc.constantFrom(':', ': ', ':\t', ':  '), value, fc.constantFrom('', ' ', '\t')), { maxLength: 10 }),
        (method, target, fields) => {
          const own = fields.filter(([name]) => !known.has(name.toLowerCase()))
          const text = `${method} ${target} HTTP/1.1\r\n${own.map((field) => `${field.join('')}\r\n`).join('')}\r\n`
          const { result, head, buffer } = request(text)
          expect(result).toBe(text.length)
          expect(head.method).toBe(method)
          expect(buffer.toString('latin1', head.targetStart, head.targetEnd)).toBe(target)
          expect(Array.from({ length: head.fieldCount }, (_, i) => fieldText(head, buffer, i))).toEqual(own.map(([, , each]) => each))
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('a response head', () => {
  it.each([
    ['HTTP/1.1 200 OK\r\n\r\n', 200],
    ['HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n', 404],
    ['HTTP/1.1 200\r\n\r\n', 200],
    ['HTTP/1.1 200 \r\n\r\n', 200],
    ['HTTP/1.1 599 \xe4\r\n\r\n', 599],
    ['HTTP/1.1 100 Continue\r\n\r\n', 100],
  ])('may be %j', (text, status) => {
    const { result, head } = response(text)
    expect(result).toBe(text.length)
    expect(head.status).toBe(status)
    for (let length = 0; length < text.length; length++) expect(response(text.slice(0, length)).result).toBe(0)
  })

  it.each([
    ['HTTP/1.1 099 Odd\r\n\r\n', HeadError.statusLine],
    ['HTTP/1.1 600 Odd\r\n\r\n', HeadError.statusLine],
    ['HTTP/1.1 20 Short\r\n\r\n', HeadError.statusLine],
    ['HTTP/1.1 2000 Long\r\n\r\n', HeadError.statusLine],
    ['HTTP/1.1  200 OK\r\n\r\n', HeadError.statusLine],
    ['HTTP/2.0 200 OK\r\n\r\n', HeadError.statusLine],
    ['ICY 200 OK\r\nA: b\r\n\r\n', HeadError.statusLine],
    ['HTTP/1.1 200 O\0K\r\n\r\n', HeadError.lineEnd],
    ['HTTP/1.1 200 OK\nA: b\r\n\r\n', HeadError.lineEnd],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', HeadError.lengthAndEncoding],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n', HeadError.contentLength],
    [`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(65 * 1024)}\r\n\r\n`, HeadError.tooLarge],
    [`HTTP/1.1 200 ${'x'.repeat(65 * 1024)}`, HeadError.tooLarge],
  ])('may not be %.60j', (text, error) => {
    expect(response(text).result).toBe(error)
  })
})
