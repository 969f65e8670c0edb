/** Server-sent events over fetch, which can carry a credential in a field of its own. Begins again by itself, a little later each time, with the last id it had. */
import { fetchRaw, type Ask } from './api.ts'

export interface SourceOptions extends Ask {
  readonly onMessage: (data: unknown, event: string) => void
  readonly onOpen?: () => void
  /** It has broken, and will be tried again; `silent` when nothing came for too long. */
  readonly onBreak?: (error: unknown) => void
  /** Nothing for so long is a break. @default the stream may be silent */
  readonly silentMs?: number
}

const firstWaitMs = 500
const longestWaitMs = 8_000

export function follow(path: string, options: SourceOptions): Disposable {
  const ended = new AbortController()
  void run(path, options, ended.signal)
  return {
    [Symbol.dispose]: () => {
      ended.abort()
    },
  }
}

async function run(path: string, options: SourceOptions, ended: AbortSignal): Promise<void> {
  const tell = (error: unknown): void => {
    if (!ended.aborted) options.onBreak?.(error)
  }
  let wait = firstWaitMs
  let lastId: string | undefined
  while (!ended.aborted) {
    try {
      await once(path, options, ended, lastId, (id) => {
        lastId = id
        wait = firstWaitMs
      })
      tell(new Error('the stream has ended'))
    } catch (error) {
      tell(error)
    }
    await pause(wait, ended)
    wait = Math.min(longestWaitMs, wait * 2)
  }
}

async function once(
  path: string,
  { onMessage, onOpen, silentMs, headers, ...rest }: SourceOptions,
  ended: AbortSignal,
  lastId: string | undefined,
  onAlive: (id: string | undefined) => void,
): Promise<void> {
  const silence = new AbortController()
  let watchdog: ReturnType<typeof setTimeout> | undefined
  const alive = (): void => {
    if (silentMs === undefined) return
    clearTimeout(watchdog)
    watchdog = setTimeout(() => {
      silence.abort(new Error('nothing came for too long'))
    }, silentMs)
  }
  alive()
  try {
    const response = await fetchRaw('GET', path, {
      ...rest,
      headers: { ...headers, accept: 'text/event-stream', ...(lastId !== undefined && { 'last-event-id': lastId }) },
      signal: AbortSignal.any([ended, silence.signal]),
    })
    onOpen?.()
    let id = lastId
    for await (const block of blocks(response)) {
      alive()
      const fields = fieldsOf(block)
      if (fields.id !== undefined) id = fields.id
      onAlive(id)
      if (fields.data !== undefined) onMessage(JSON.parse(fields.data), fields.event ?? 'message')
    }
  } finally {
    clearTimeout(watchdog)
  }
}

/** The stream, cut at its empty lines. */
async function* blocks(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) return
  let kept = ''
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const parts = (kept + (value ?? '')).split('\n\n')
    kept = parts.pop() ?? ''
    yield* parts
  }
}

function fieldsOf(block: string): Readonly<Record<string, string | undefined>> {
  const fields: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    fields[name] = name === 'data' && fields.data !== undefined ? `${fields.data}\n${value}` : value
  }
  return fields
}

const pause = (ms: number, ended: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    ended.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
