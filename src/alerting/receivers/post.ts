/** One POST with a JSON body, and what its answer means: 2xx is there, 408, 429 and 5xx may be tried again, the rest may not. */
import { request } from 'undici'
import { messageOf } from '../../kernel/errors.ts'
import { SendError } from './port.ts'

export interface Post {
  readonly url: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Of an answer that says why not. */
const shownCharactersMax = 200
const answerBytesMax = 65_536

/** Resolves with the text of the answer. */
export async function post({ url, body, headers = {}, timeoutMs, signal }: Post): Promise<string> {
  const { origin } = new URL(url)
  let status: number
  let text: string
  try {
    const answer = await request(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'user-agent': 'holdfast', ...headers },
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    status = answer.statusCode
    text = await limited(answer.body)
  } catch (cause) {
    throw new SendError(`tried to post to ${origin}: ${messageOf(cause)}`, { again: true, cause })
  }
  if (status >= 200 && status < 300) return text
  const said = text.trim().slice(0, shownCharactersMax)
  throw new SendError(`tried to post to ${origin}, was answered ${status}${said === '' ? '' : `: ${said}`}`, {
    again: status >= 500 || status === 408 || status === 429,
  })
}

async function limited(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes <= answerBytesMax) parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}
