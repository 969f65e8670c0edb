import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChunkedBody, tokensOf } from './chunked.ts'

/** Any bytes, as text of one character each. */
const octets = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength, maxLength }).map((each) => Buffer.from(each).toString('latin1'))

/** Feeds `text` in the given pieces; what was emitted, where the body ended, and how. */
function feed(
  text: string,
  cuts: readonly number[] = [],
  framed = true,
): { out: string; end: number; state: 'open' | 'done' | 'failed'; emits: number } {
  const body = new ChunkedBody(framed)
  let out = ''
  let emits = 0
  let end = 0
  const stops = [...new Set([...cuts.map((cut) => Math.min(cut, text.length)), text.length])].sort((a, b) => a - b)
  let from = 0
  for (const stop of stops) {
    const piece = Buffer.from(text.slice(from, stop), 'latin1')
    const used = body.feed(piece, 0, piece.length, (buffer, start, to) => {
      out += buffer.toString('latin1', start, to)
      emits++
    })
    end = from + used
    if (body.done || body.failed) break
    from = stop
  }
  return { out, end, state: body.done ? 'done' : body.failed ? 'failed' : 'open', emits }
}

describe('a chunked body', () => {
  it('that is canonical passes as one run, up to its end and no further', () => {
    const body = '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n'
    expect(feed(`${body}GET / HTTP/1.1\r\n`)).toMatchObject({ out: body, end: body.length, state: 'done' })
    expect(feed('5\r\nhello\r\n3\r\nabc\r\n').emits).toBe(1)
  })

  it('is decoded for those who do not know chunks', () => {
    expect(feed('5\r\nhello\r\n6;x\r\n world\r\n0\r\nA: b\r\n\r\n', [], false)).toMatchObject({ out: 'hello world', state: 'done' })
  })

  it.each([
    ['leading zeros', '0005\r\nhello\r\n000\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['capital digits', 'A\r\n0123456789\r\n0\r\n\r\n', 'A\r\n0123456789\r\n0\r\n\r\n'],
    ['extensions', '5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['trailers', '0\r\nX-Sum:1\r\nETag: "a"\r\n\r\n', '0\r\nX-Sum: 1\r\nETag: "a"\r\n\r\n'],
    [
      'forbidden trailers',
      '0\r\nX: 1\r\nHost: a\r\nSet-Cookie: a\r\nConnection: close\r\nX-Forwarded-For: b\r\nAuthorization: c\r\n\r\n',
      '0\r\nX: 1\r\n\r\n',
    ],
  ])('is put in order: %s', (_what, text, out) => {
    expect(feed(text)).toMatchObject({ out, end: text.length, state: 'done' })
  })

  it.each([
    ['no size', '\r\nhello\r\n'],
    ['a size in words', 'five\r\nhello\r\n'.replace('f', 'g')],
    ['0x', '0x5\r\nhello\r\n'],
    ['a sign', '+5\r\nhello\r\n'],
    ['a space before', ' 5\r\nhello\r\n'],
    ['a space behind', '5 \r\nhello\r\n'],
    ['a tab behind', '5\t;a\r\nhello\r\n'],
    ['14 digits', '10000000000000\r\n'],
    ['a bare LF behind the size', '5\nhello\r\n'],
    ['a bare CR behind the size', '5\rhello'],
    ['a bare LF in an extension', '5;a\nb\r\nhello'],
    ['a bare CR in an extension', '5;a\rb\r\nhello'],
    ['a NUL in an extension', '5;\0\r\nhello'],
    ['too little data', '5\r\nhell\r\n0\r\n\r\n'],
    ['too much data', '5\r\nhello!\r\n0\r\n\r\n'],
    ['a bare LF behind the data', '5\r\nhello\n0\r\n\r\n'],
    ['a length as trailer', '0\r\nContent-Length: 5\r\n\r\n'],
    ['a coding as trailer', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
    ['a trailer with a bare LF', '0\r\nA: b\n\r\n'],
    ['extensions of more than 4 KiB', `5;${'x'.repeat(4_097)}\r\nhello\r\n`],
    ['extensions of more than 4 KiB together', `1;${'x'.repeat(1_500)}\r\na\r\n`.repeat(3)],
    ['trailers of more than 16 KiB', `0\r\nA: ${'x'.repeat(16 * 1024)}\r\n\r\n`],
    ['trailers of more than 16 KiB without end', `0\r\nA: ${'x'.repeat(17 * 1024)}`],
  ])('is refused for %s', (_what, text) => {
    expect(feed(text).state).toBe('failed')
    // In single bytes too.
    expect(
      feed(
        text,
        Array.from({ length: Math.min(text.length, 6_000) }, (_, i) => i),
      ).state,
    ).toBe('failed')
  })

  it('is not spoilt by the trailers of another one', () => {
    expect(feed('0\r\nContent-Length: 5\r\n\r\n').state).toBe('failed')
    expect(feed('0\r\nHost: a\r\n\r\n').state).toBe('done')
    expect(feed('0\r\nHost: a\r\nA: b\r\n\r\n', [5, 9, 13, 16])).toMatchObject({ state: 'done', out: '0\r\nA: b\r\n\r\n' })
  })

  it('gives the same bytes however it is split, and ends at the same place', () => {
    const chunk = fc.tuple(octets(1, 40), fc.constantFrom('', '0', '00'), fc.constantFrom('', ';a', ';a=b', ';"\x80"'))
    const trailers = fc.constantFrom('', 'A: b\r\n', 'A:b\r\nHost: c\r\n')
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        trailers,
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.boolean(),
        (chunks, last, cuts, framed) => {
          const text = `${chunks.map(([data, zeros, extension]) => `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`).join('')}0\r\n${last}\r\n`
          const data = chunks.map(([each]) => each).join('')
          const canonical = `${chunks.map(([each]) => `${each.length.toString(16)}\r\n${each}\r\n`).join('')}0\r\n${last === '' ? '' : 'A: b\r\n'}\r\n`
          const read = feed(`${text}NEXT`, cuts, framed)
          expect(read).toMatchObject({ state: 'done', end: text.length, out: framed ? canonical : data })
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('of random bytes never throws and never uses more than there is', () => {
    const piece = fc.oneof(fc.constantFrom('0\r\n', '\r\n', '5', 'ff', ';', 'A: b', '\r', '\n'), octets(0, 4))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), fc.array(fc.nat(40), { maxLength: 6 }), (pieces, cuts) => {
        const text = pieces.join('')
        const split = feed(text, cuts)
        const whole = feed(text)
        expect(split.end).toBeLessThanOrEqual(text.length)
        expect(split.state).toBe(whole.state)
        if (whole.state === 'done') expect(split).toMatchObject({ out: whole.out, end: whole.end })
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('tokens', () => {
  it('are lower case, without white space and empty ones', () => {
    expect(tokensOf(' Close , , X-A,keep-alive\t')).toEqual(['close', 'x-a', 'keep-alive'])
    expect(tokensOf('')).toEqual([])
  })
})
