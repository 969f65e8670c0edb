/** Server-sent events, read from the bytes of an answer (WHATWG HTML, "Parsing an event stream"). */
import { HoldfastError } from '../kernel/errors.ts'

export interface ServerSentEvent {
  readonly id: string | undefined
  readonly event: string
  readonly data: string
}

/** More than the API ever sends in one event; a server that never ends a line is not one of ours. */
const eventCharactersMax = 4 * 1_048_576

export async function* readServerSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let id: string | undefined
  let event = 'message'
  let data: string[] = []
  for await (const line of lines(body)) {
    if (line === '') {
      if (data.length > 0) yield { id, event, data: data.join('\n') }
      event = 'message'
      data = []
      continue
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') data.push(value)
    else if (field === 'event') event = value
    else if (field === 'id' && !value.includes('\0')) id = value
  }
}

/** Lines end in LF, CR LF or CR; the last one counts only when it is ended. */
async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true })
    // A CR at the very end may be the first half of a CR LF: wait for what follows.
    const parts = rest.split(/\r\n|\n|\r(?!$)/)
    rest = parts.pop() ?? ''
    if (rest.length > eventCharactersMax) {
      throw new HoldfastError('answer_too_large', `an event of the stream is longer than ${eventCharactersMax} characters`)
    }
    yield* parts
  }
}
