/** The process of a proxy worker: joins the primary's messages to the worker. */
import type { Server } from 'node:net'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import { socketPath } from '../paths.ts'
import { obey } from './orders.ts'
import { Orphan } from './orphan.ts'
import type { ListeningHandle } from './connections.ts'
import { Worker } from './worker.ts'

const tell = (message: WorkerToPrimary): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
  else orphan?.tell(message)
}

let worker: Worker | undefined
let orphan: Orphan | undefined

function onMessage(message: PrimaryToWorker, handle: unknown): void {
  switch (message.type) {
    case 'start': {
      worker = new Worker({ pseudonym: message.pseudonym, tell, workers: message.workers, cacheSocket: socketPath(message.directory, 'cache') })
      worker.start()
      orphan = new Orphan(worker, message.directory, message.index, (order) => {
        onMessage(order, undefined)
      })
      tell({ type: 'ready' })
      return
    }
    case 'open':
      worker?.connections.listen(message.name, message.host, message.port, message.fd === undefined ? undefined : { fd: message.fd }).then(
        (opened) => process.send?.({ type: 'opened', name: message.name } satisfies WorkerToPrimary, opened as unknown as Server),
        (error: unknown) => {
          tell({ type: 'openFailed', name: message.name, code: codeOf(error) ?? 'unknown', message: messageOf(error) })
        },
      )
      return
    case 'listener':
      // A worker that cannot accept is no worker: its successor is handed the socket again.
      if (handle === undefined) process.exit(1)
      worker?.connections.listen(message.name, message.host, message.port, handle as ListeningHandle).catch((error: unknown) => {
        process.stderr.write(`taking over the listener ${message.name} failed: ${messageOf(error)}\n`)
        process.exit(1)
      })
      return
    case 'shutdown':
      void worker?.shutdown(message.deadlineMs, false).then(() => process.exit(0))
      return
    default:
      if (worker) obey(worker, message, tell)
  }
}

process.on('message', onMessage)
// The log may be on a disk that is full: what cannot be told is no reason to end.
process.stderr.on('error', () => undefined)
process.on('disconnect', () => {
  if (orphan) void orphan.run()
  else process.exit(0)
})
// The terminal's Ctrl-C goes to the whole group; the primary decides when a worker ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)
