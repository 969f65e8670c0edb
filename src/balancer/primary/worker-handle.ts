/** One worker as the primary sees it: its process, what it has been told, and what it answers. */
import { fork, type ChildProcess } from 'node:child_process'
import { processArguments } from '../paths.ts'
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import type { Peer } from './peer.ts'

export interface WorkerHandleOptions {
  readonly index: number
  /** Descriptors that the worker inherits, as its 4, 5, … (0 to 2 are stdio, 3 is the channel). */
  readonly inherited: readonly number[]
  readonly logDescriptor: number
  readonly onMessage: (worker: WorkerHandle, message: WorkerToPrimary, handle: unknown) => void
  readonly onExit: (worker: WorkerHandle, code: number | null, signal: NodeJS.Signals | null) => void
}

/** The first inherited descriptor of a worker. */
export const firstInheritedDescriptor = 4

export class WorkerHandle implements Peer {
  readonly index: number
  readonly process: ChildProcess
  /** It holds the descriptors that the primary inherited. */
  readonly inherits: boolean
  readonly own = true
  ready = false
  viewVersion = -1

  constructor(options: WorkerHandleOptions) {
    this.index = options.index
    this.inherits = options.inherited.length > 0
    const worker = processArguments('worker')
    this.process = fork(worker.module, [], {
      stdio: ['ignore', options.logDescriptor, options.logDescriptor, 'ipc', ...options.inherited],
      // A worker's heap is young garbage and little else: larger semi-spaces only cost memory. Left to itself V8 takes a limit just above what lives
      // for the old space of so small a heap, and where there is little to do it goes below that: it compacts every few seconds, for 5 to 30 ms in which
      // no request is answered.
      execArgv: [...worker.node, '--max-semi-space-size=8', '--initial-old-space-size=64', '--no-memory-reducer'],
    })
    this.process.on('message', (message: WorkerToPrimary, handle: unknown) => {
      options.onMessage(this, message, handle)
    })
    // A process that could not be started never exits; later errors (a message that cannot be sent) come with an exit.
    this.process.on('error', () => {
      if (this.process.pid === undefined) options.onExit(this, null, null)
    })
    this.process.on('exit', (code, signal) => {
      options.onExit(this, code, signal)
    })
  }

  get pid(): number {
    return this.process.pid ?? 0
  }

  giveUp(): void {
    this.kill()
  }

  kill(): void {
    this.process.kill('SIGKILL')
  }

  send(message: PrimaryToWorker, handle?: unknown): void {
    if (this.process.connected) this.process.send(message, handle as never, undefined, () => undefined)
  }
}
