/** Valid messages with accidents: bytes, fields, line ends, lengths and chunk sizes that are added, lost or changed. Seeded, so that a case can be made again. */
import { between, chance, type Random } from '../../kernel/random.ts'

const valid = [
  'GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n',
  'PUT /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n',
  'DELETE /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX-A: b\r\nX-B: c\r\n\r\n',
  'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD http://b/x HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\n\r\n',
  'GET http://user.test:8080?q HTTP/1.1\r\nHost: [::1]:8080\r\nCookie: a=b; c="d"\r\nTE: trailers\r\nConnection: TE, X-Hop\r\nX-Hop: 1\r\n\r\n',
  'POST /old HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc',
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
  'PATCH /h HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nGET /in HTTP/1.1\r\n\r\n',
  'POST /hex HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n00000A\r\n0\r\n\r\nGET /\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n',
]
const validAnswers = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
  'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
  'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
]
const fieldLines = [
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 0x5\r\n',
  'Content_Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding:\tchunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Host: b\r\n',
  ' folded: x\r\n',
  'X: y\n',
  'X: \rContent-Length: 3\r\n',
  'X: \0\r\n',
  ': x\r\n',
  'X-Ok:z \t\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: h2c\r\n',
  'Connection: Content-Length\r\n',
  'Connection: Transfer-Encoding, Host\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, close\r\n',
  'Proxy-Connection: keep-alive\r\n',
  'Content-Length: 3,\r\n',
  'Content-Length: 1_0\r\n',
  'Content-Length: \r\n',
  'Content-Length\r\n',
  'Content-Length: 00003\r\n',
  'content-length: 18446744073709551617\r\n',
  'Transfer-Encoding: "chunked"\r\n',
  'Transfer-Encoding: chunked;q=1\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding: CHUNKED\r\n',
  'Transfer-Encoding:\r\n',
  'Transfer-Encoding: chunked, chunked\r\n',
  'Transfer\x80Encoding: chunked\r\n',
  'Transfer.Encoding: chunked\r\n',
  'Host: a, b\r\n',
  'Host: a/b\r\n',
  'Host: a@b\r\n',
  'Host:\r\n',
  'X-Forwarded-For: 10.0.0.1\r\n',
  'Trailer: Content-Length\r\n',
]
const oddities = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ';',
  '0',
  '1',
  'f',
  '0x',
  '-',
  '+',
  '\x80',
  '\xff',
  '\x0b',
  '#',
  '\r\n\r\n',
  '0\r\n\r\n',
  'chunked',
  ',',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  ' HTTP/1.1',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '\u0085',
  '\xa0',
  '%0d%0a',
  '\\',
  '@',
  '//',
  '?',
]

const oneOf = <T>(random: Random, items: readonly T[]): T => items[between(random, 0, items.length - 1)]!

/** One to three valid requests on a connection, with nought to three accidents. */
export function mutatedRequests(random: Random): string {
  return mutated(random, Array.from({ length: between(random, 1, 3) }, () => oneOf(random, valid)).join(''))
}

/** One valid answer, with nought to three accidents. */
export const mutatedAnswer = (random: Random): string => mutated(random, oneOf(random, validAnswers))

function mutated(random: Random, valid: string): string {
  let text = valid
  for (let accidents = between(random, 0, 3); accidents > 0; accidents--) {
    const at = between(random, 0, text.length)
    const lines = [...text.matchAll(/\r\n/g)].map((match) => match.index + 2)
    const digits = [...text.matchAll(/\d/g)].map((match) => match.index)
    switch (between(random, 0, 7)) {
      case 0:
        text = text.slice(0, at) + oneOf(random, oddities) + text.slice(at)
        break
      case 1:
        text = text.slice(0, at) + text.slice(at + between(random, 1, 3))
        break
      case 2:
        text = text.slice(0, at) + String.fromCharCode(between(random, 0, 255)) + text.slice(at + 1)
        break
      case 3:
      case 4: {
        const line = oneOf(random, lines)
        text = text.slice(0, line) + oneOf(random, fieldLines) + text.slice(line)
        break
      }
      case 5: {
        const digit = oneOf(random, digits)
        text =
          text.slice(0, digit) +
          oneOf(random, ['0', '1', '9', '00', 'a', '0x1', '5;x', ' 5', '5 ', '', '-1', '99999999999999999999']) +
          text.slice(digit + 1)
        break
      }
      case 6: {
        const line = oneOf(random, lines)
        text = text.slice(0, line - 2) + oneOf(random, ['\n', '\r', '\r\r\n', ' \r\n', '\n\r']) + text.slice(line)
        break
      }
      default:
        text = chance(random, 0.5) ? text.slice(0, at) : text.slice(0, at) + text.slice(between(random, 0, at))
    }
  }
  return text
}
