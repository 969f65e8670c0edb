import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Head, parseRequestHead, parseResponseHead } from '../../http1/head.ts'
import { readRequest, RequestFacts, writeRequestHead } from '../../http1/request.ts'
import { responseFraming, writeResponseHead } from '../../http1/response.ts'
import { compileEdit, mayChange, type HeaderRules } from './head-edit.ts'
import { withPreset } from './security.ts'

const framing = [
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Host',
  'content_length',
  'TE',
  'Trailer',
  'Upgrade',
  'X-Forwarded-For',
  'Via',
  'X-Request-Id',
  'Expect',
]
const name = fc.oneof(fc.constantFrom(...framing, 'Content-Type', 'X-A', 'Accept', 'Set-Cookie'), fc.string({ maxLength: 12 }))
const value = fc.oneof(fc.constantFrom('0', 'chunked', 'close', 'a\r\nContent-Length: 3'), fc.string({ maxLength: 20 }))
const rules: fc.Arbitrary<HeaderRules> = fc.record({ set: fc.dictionary(name, value), add: fc.dictionary(name, value), remove: fc.array(name) })

const written = (bytes: string, edit: ReturnType<typeof compileEdit>): { head: Head; out: Buffer } => {
  const input = Buffer.from(bytes, 'latin1')
  const head = new Head()
  const facts = new RequestFacts()
  expect(parseRequestHead(input, 0, input.length, head)).toBe(input.length)
  expect(readRequest(head, input, facts)).toBe(0)
  const out = Buffer.alloc(8_192)
  const end = writeRequestHead(out, 0, head, input, facts, {
    target: undefined,
    defaultHost: 'o',
    forwarded: Buffer.from('Via: 1.1 h\r\n'),
    requestId: 'id',
    edit,
  })
  const again = new Head()
  expect(parseRequestHead(out.subarray(0, end), 0, end, again)).toBe(end)
  return { head: again, out: out.subarray(0, end) }
}

describe('header rules', () => {
  it('never change how a request is framed, whom it is for, or what we say ourselves', () => {
    fc.assert(
      fc.property(rules, fc.boolean(), (given, chunked) => {
        const edit = compileEdit(given)
        const { head, out } = written(
          `POST /a HTTP/1.1\r\nHost: a.test\r\n${chunked ? 'Transfer-Encoding: chunked' : 'Content-Length: 5'}\r\nX-A: 1\r\n\r\n`,
          edit,
        )
        expect([head.chunked, head.contentLength]).toEqual(chunked ? [true, -1] : [false, 5])
        const text = out.toString('latin1')
        expect(text.match(/^host: a\.test\r$/gim)).toHaveLength(1)
        expect(text.match(/^via:/gim)).toHaveLength(1)
        expect(text.match(/^x-request-id: id\r$/gim)).toHaveLength(1)
        expect(text).not.toMatch(/^(connection|expect|trailer|upgrade|te):/im)
      }),
    )
  })

  it('never change how an answer is framed', () => {
    fc.assert(
      fc.property(rules, fc.boolean(), (given, chunked) => {
        const edit = compileEdit(given)
        const input = Buffer.from(`HTTP/1.1 200 OK\r\n${chunked ? 'Transfer-Encoding: chunked' : 'Content-Length: 5'}\r\nX-A: 1\r\n\r\n`, 'latin1')
        const head = new Head()
        parseResponseHead(input, 0, input.length, head)
        const out = Buffer.alloc(8_192)
        const end = writeResponseHead(out, 0, head, input, {
          via: Buffer.from('Via: 1.1 h\r\n'),
          requestId: 'id',
          connection: 'none',
          chunked,
          dropLength: chunked,
          upgrade: undefined,
          edits: edit ? [edit] : [],
        })
        const again = new Head()
        expect(parseResponseHead(out.subarray(0, end), 0, end, again)).toBe(end)
        expect(responseFraming(again, 'GET')).toBe(chunked ? 'chunked' : 'length')
        expect(again.contentLength).toBe(chunked ? -1 : 5)
      }),
    )
  })

  it('set in place of what there is, add beside it, and remove', () => {
    const edit = compileEdit({ set: { 'x-a': 'new' }, add: { 'x-b': '2' }, remove: ['x-c'] })
    const { out } = written('GET / HTTP/1.1\r\nHost: a\r\nX-A: old\r\nx-a: older\r\nX-B: 1\r\nX-C: 1\r\nX-D: 1\r\n\r\n', edit)
    expect(out.toString('latin1')).toBe(
      'GET / HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nX-D: 1\r\nx-a: new\r\nx-b: 2\r\nVia: 1.1 h\r\nX-Request-Id: id\r\n\r\n',
    )
  })

  it('know the imitations of what they may not change', () => {
    expect(['content_length', 'Transfer.Encoding', 'X_Forwarded_For', 'HOST', 'a b', ''].map(mayChange)).toEqual([
      false,
      false,
      false,
      false,
      false,
      false,
    ])
    expect(['x-frame-options', 'set-cookie', 'authorization', 'content-type'].map(mayChange)).toEqual([true, true, true, true])
  })

  it('go before a preset', () => {
    expect(withPreset('basic', { set: { 'x-frame-options': 'DENY' }, remove: ['referrer-policy', 'server'] })).toEqual({
      set: { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' },
      remove: ['referrer-policy', 'server'],
    })
  })
})
