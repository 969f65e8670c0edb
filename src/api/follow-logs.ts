/**
 * Sends log lines to a stream: the last ones, then each new one. It listens before it reads, and leaves out those that came
 * both ways; lines have no number, so two lines are the same when everything about them is. What is found in one look at the files
 * comes file by file: it is sent in the order of time.
 */
import type { LogLine, LogQuery, Operations } from '../app/operations.ts'
import type { EventStream } from './event-stream.ts'

/** Lines that may come while the last ones are being read and sent. */
const waitingMax = 10_000

export async function followLogs(stream: EventStream, operations: Operations, service: string, query: LogQuery): Promise<void> {
  let waiting: LogLine[] | undefined = []
  const together: LogLine[] = []
  const sendTogether = (): void => {
    for (const line of together.splice(0).sort(byTime)) stream.send({ data: line })
  }
  const listening = operations.followLogs(service, query, (line) => {
    if (!waiting) {
      if (together.push(line) === 1) queueMicrotask(sendTogether)
    } else if (waiting.push(line) > waitingMax) stream.body.destroy()
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
  for (const line of waiting.sort(byTime)) {
    const key = JSON.stringify(line)
    const copies = seen.get(key) ?? 0
    if (copies === 0) stream.send({ data: line })
    else seen.set(key, copies - 1)
  }
  waiting = undefined
}

/** Stable: lines of one instance stay in the order in which it wrote them. */
const byTime = (a: LogLine, b: LogLine): number => a.time - b.time
