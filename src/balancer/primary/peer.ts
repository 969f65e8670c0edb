/** A worker as the parts of the primary speak with it: one of our own, or an orphan of the primary before us. */
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'

export interface Peer {
  readonly pid: number
  /** It takes orders. */
  readonly ready: boolean
  /** Our own: it is started again when it dies. An orphan is on its way out. */
  readonly own: boolean
  /** The last view it said it routes by. */
  viewVersion: number
  send(message: PrimaryToWorker, handle?: unknown): void
  /** It answers no more: it is not counted on any longer. */
  giveUp(): void
  kill(): void
}

/** Hears what the workers tell. Without a message: the worker has ended. */
export type Watcher = (peer: Peer, message: WorkerToPrimary | undefined, handle: unknown) => void
