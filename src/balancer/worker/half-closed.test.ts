/** Clients that send a request, end their side at once and wait for the answer, as `nc -N` and many scripts do. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Workbench } from '../testing/workbench.ts'

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone'

afterEach(() => vi.restoreAllMocks())

function endedBehind(request: string): Workbench {
  const bench = new Workbench()
  bench.send(request)
  bench.socket.emit('end')
  bench.pass(300)
  return bench
}

describe('an end behind a body that still waits for a connection to the origin', () => {
  it.each([
    ['of a known length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
    ['in chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
  ])('%s: it is sent and answered', (_what, request, body) => {
    const bench = endedBehind(request)
    bench.connect()
    expect(bench.upstream.socket.taken()).toMatch(new RegExp(`${body}$`))
    bench.upstream.says(answer)
    expect(bench.socket.taken()).toMatch(/done$/)
  })

  it.each([
    ['of a known length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel'],
    ['in chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
  ])('%s, when it is not whole: nothing is left', (_what, request) => {
    const bench = endedBehind(request)
    if (!bench.upstream.closed) bench.connect()
    bench.pass(300)
    expect(bench.upstream.closed).toBe(true)
    expect(bench.service.active).toBe(0)
  })
})
