/** The process of a proxy worker: joins the primary's messages to the worker. */
import type { Server } from 'node:net'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import { Orphan } from './orphan.ts'
import { Worker, type ListeningHandle } from './worker.ts'

const tell = (message: WorkerToPrimary): void => {
  // Without a primary there is nobody to tell; counting goes on when one is back.
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

let worker: Worker | undefined
let orphan: Orphan | undefined

function onMessage(message: PrimaryToWorker, handle: unknown): void {
  switch (message.type) {
    case 'start': {
      worker = new Worker({ pseudonym: message.pseudonym, tell })
      worker.start()
      orphan = new Orphan(worker, message.directory, message.index)
      tell({ type: 'ready' })
      return
    }
    case 'open':
      worker?.listen(message.name, message.host, message.port, message.fd === undefined ? undefined : { fd: message.fd }).then(
        (opened) => process.send?.({ type: 'opened', name: message.name } satisfies WorkerToPrimary, opened as unknown as Server),
        (error: unknown) => {
          tell({ type: 'openFailed', name: message.name, code: codeOf(error) ?? 'unknown', message: messageOf(error) })
        },
      )
      return
    case 'listener':
      void worker?.listen(message.name, message.host, message.port, handle as ListeningHandle)
      return
    case 'closeListener':
      worker?.closeListener(message)
      return
    case 'view':
      worker?.applyView(message.view, new Set(message.unhealthy))
      return
    case 'gone':
      worker?.gone(message.endpoint, message.reason, message.exitedAt)
      return
    case 'health':
      worker?.health(message.endpoint, message.healthy)
      return
    case 'drain':
      worker?.drain(message.id, message.endpoint, message.deadlineMs)
      return
    case 'shutdown':
      void worker?.shutdown(message.deadlineMs, false).then(() => process.exit(0))
      return
  }
}

process.on('message', onMessage)
process.on('disconnect', () => {
  if (orphan) void orphan.run()
  else process.exit(0)
})
// The terminal's Ctrl-C goes to the whole group; the primary decides when a worker ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('SIGHUP', () => undefined)
