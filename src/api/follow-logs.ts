/**
 * Sends log lines to a stream: the last ones, then each new one. It listens before it reads, and leaves out those that came
 * both ways; lines have no number, so two lines are the same when everything about them is.
 */
import type { LogLine, LogQuery, Operations } from '../app/operations.ts'
import type { EventStream } from './event-stream.ts'

/** Lines that may come while the last ones are being read and sent. */
const waitingMax = 10_000

export async function followLogs(stream: EventStream, operations: Operations, service: string, query: LogQuery): Promise<void> {
  let waiting: LogLine[] | undefined = []
  const listening = operations.followLogs(service, query, (line) => {
    if (!waiting) stream.send({ data: line })
    else if (waiting.push(line) > waitingMax) stream.body.destroy()
  })
  stream.onClose(() => {
    listening[Symbol.dispose]()
  })
  const seen = new Map<string, number>()
  for (const line of await operations.logs(service, query)) {
    await stream.room()
    if (stream.closed) return
    stream.send({ data: line })
    const key = JSON.stringify(line)
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  for (const line of waiting) {
    const key = JSON.stringify(line)
    const copies = seen.get(key) ?? 0
    if (copies === 0) stream.send({ data: line })
    else seen.set(key, copies - 1)
  }
  waiting = undefined
}
