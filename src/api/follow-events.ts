/**
 * Sends events to a stream: first those after the one the reader had last, then each as it happens, none twice and none
 * left out. It listens before it reads the log, and keeps what comes meanwhile; the strictly rising `seq` tells the rest.
 */
import type { Operations } from '../app/operations.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { selectEvents } from '../store/core/select-events.ts'
import type { EventStream } from './event-stream.ts'
import { asApiEvent } from './schemas/events.ts'

export interface EventFilter {
  readonly service?: string | undefined
  readonly type?: string | undefined
  readonly level?: string | undefined
}

const pageSize = 500
/** What may happen while the history is being sent; more means the reader is too slow for what goes on. */
const waitingMax = 10_000

/** Resolves when the history has been sent and the stream is live, or closed. `afterSeq` undefined: from now on. */
export async function followEvents(stream: EventStream, operations: Operations, filter: EventFilter, afterSeq: number | undefined): Promise<void> {
  let waiting: AnyEvent[] | undefined = []
  let last = afterSeq ?? 0
  const send = (event: AnyEvent): void => {
    last = event.seq
    stream.send({ id: String(event.seq), data: asApiEvent(event) })
  }
  const listening = operations.onEvent((event) => {
    if (!matches(event, filter)) return
    if (!waiting) send(event)
    else if (waiting.push(event) > waitingMax) stream.body.destroy()
  })
  stream.onClose(() => {
    listening[Symbol.dispose]()
  })
  if (afterSeq !== undefined) await replay(stream, operations, filter, afterSeq, send)
  for (const event of waiting) if (afterSeq === undefined || event.seq > last) send(event)
  waiting = undefined
}

async function replay(
  stream: EventStream,
  operations: Operations,
  filter: EventFilter,
  afterSeq: number,
  send: (event: AnyEvent) => void,
): Promise<void> {
  tellGap(stream, operations, afterSeq)
  let page: readonly AnyEvent[]
  let from = afterSeq
  do {
    page = operations.events({ ...given(filter), after: from, order: 'ascending', limit: pageSize })
    for (const event of page) {
      await stream.room()
      if (stream.closed) return
      send(event)
      from = event.seq
    }
  } while (page.length === pageSize)
}

/** The log is bounded: when the events after `afterSeq` have left it, the reader is told before it believes to know all. */
function tellGap(stream: EventStream, operations: Operations, afterSeq: number): void {
  const [next] = operations.events({ after: afterSeq, order: 'ascending', limit: 1 })
  if (next === undefined || next.seq === afterSeq + 1) return
  stream.send({ event: 'gap', data: { after: afterSeq, next: next.seq } })
}

/** As the log would choose, so that the history and what follows it are of one kind. */
const matches = (event: AnyEvent, filter: EventFilter): boolean => selectEvents([{ ...event, event }], given(filter)).length > 0

/** The filter without what was not given, as the event log wants it. */
export function given(filter: EventFilter): { service?: string; type?: string; level?: string } {
  const { service, type, level } = filter
  return { ...(service !== undefined && { service }), ...(type !== undefined && { type }), ...(level !== undefined && { level }) }
}

/**
 * The `seq` that a reader means by Last-Event-ID: a seq, or the id of an event, which is looked up near the time it
 * carries in its first ten characters. Undefined: nothing we ever sent.
 */
export function seqOf(lastEventId: string | undefined, operations: Operations): number | undefined {
  if (lastEventId === undefined) return undefined
  if (/^\d{1,15}$/.test(lastEventId)) return Number(lastEventId)
  if (!/^[0-9A-HJKMNP-TV-Z]{26}$/.test(lastEventId)) return undefined
  const time = Array.from(lastEventId.slice(0, 10)).reduce((sum, char) => sum * 32 + crockford.indexOf(char), 0)
  const near = operations.events({ since: time, order: 'ascending', limit: 1_000 })
  return near.find((event) => event.id === lastEventId)?.seq ?? (near[0] === undefined ? undefined : near[0].seq - 1)
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
