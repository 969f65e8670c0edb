/**
 * One POST with a JSON body, and what its answer means: 2xx is there, whatever becomes of the rest of the answer; 408, 429 and 5xx may be tried again, not before the
 * answer says (`Retry-After`); the rest may not.
 */
import { request } from 'undici'
import { messageOf } from '../../kernel/errors.ts'
import { outbound } from '../../kernel/outbound.ts'
import { patience } from './patience.ts'
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
/** More of an answer is not read. */
const answerBytesMax = 65_536

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Resolves with the text of the answer. */
export async function post(order: Post): Promise<string> {
  const { origin } = new URL(order.url)
  const waiting = patience(order.signal, order.timeoutMs)
  try {
    const { status, text, headers } = await answered(order, waiting.signal)
    if (status >= 200 && status < 300) return text
    throw refused(origin, status, text, headers)
  } catch (cause) {
    if (cause instanceof SendError) throw cause
    throw new SendError(`tried to post to ${origin}: ${messageOf(cause)}`, { again: true, cause })
  } finally {
    waiting[Symbol.dispose]()
  }
}

async function answered({ url, body, headers = {}, timeoutMs }: Post, signal: AbortSignal): Promise<Answer> {
  const answer = await request(url, {
    method: 'POST',
    dispatcher: outbound,
    body,
    headers: { 'content-type': 'application/json', 'user-agent': 'holdfast', ...headers },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    signal,
  })
  return { status: answer.statusCode, text: await beginning(answer.body), headers: answer.headers }
}

/** What the status says holds, also when the rest never ends, or breaks off. */
async function beginning(body: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of body) {
      parts.push(part)
      bytes += part.length
      if (bytes >= answerBytesMax) break
    }
  } catch {
    // It broke off, or the time was over.
  }
  return Buffer.concat(parts).toString('utf8').slice(0, answerBytesMax)
}

function refused(origin: string, status: number, text: string, headers: Answer['headers']): SendError {
  const said = text.trim().slice(0, shownCharactersMax)
  const { location } = headers
  const isRedirect = status >= 300 && status < 400 && typeof location === 'string'
  const more = isRedirect ? ', which leads elsewhere: redirects are not followed, give the address itself' : said === '' ? '' : `: ${said}`
  const again = status >= 500 || status === 408 || status === 429
  return new SendError(`tried to post to ${origin}, was answered ${status}${more}`, {
    again,
    afterMs: again ? waitOf(headers) : undefined,
  })
}

/** Source: RFC 9110, 10.2.3: seconds, or a date, which is compared with what the other side takes for now. */
function waitOf({ 'retry-after': given, date }: Answer['headers']): number | undefined {
  if (typeof given !== 'string') return undefined
  const seconds = /^\d{1,9}$/.test(given.trim()) ? Number(given) : (Date.parse(given) - Date.parse(String(date))) / 1_000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds * 1_000)
}
