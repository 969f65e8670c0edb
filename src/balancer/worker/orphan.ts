/**
 * What a worker does when the primary has died. It goes on serving: its sockets are its own. One of the workers (the
 * lowest index first, the others a little later if nothing happened) starts a new primary and hands it the listening
 * descriptors, so that no connection is refused meanwhile. When the new primary's workers accept, the orphans
 * stop accepting, finish what they have by the views of the new primary, and end.
 *
 *   serving alone ──wait index × 300 ms──▶ nobody answers: start an heir │ somebody answers
 *                                                └──▶ heir ready ──▶ draining ──▶ ended
 *
 * Where the whole proxy was shut down while it was between two attempts, there is nobody left to tell it; the file that says that the proxy is wanted is gone.
 *
 * A worker that listens on nothing (it died with its first view on the way, or while everything was shut down) has nothing to hand on: an heir of its own would
 * wait for a view and it for the heir, for ever. It gives the others time to start one, and ends.
 */
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { launchPrimary } from '../launch.ts'
import { socketPath, wantedFile } from '../paths.ts'
import { Channel } from '../channel.ts'
import { messageOf } from '../../kernel/errors.ts'
import { protocolVersion, type ControlToPrimary, type PrimaryToControl, type PrimaryToWorker, type WorkerToPrimary } from '../messages.ts'
import type { Worker } from './worker.ts'

const turnMs = 300
/** How long an heir may take to serve before somebody else tries. */
const heirTimeoutMs = 5_000
/** Between two attempts, at most. */
const retryMsMax = 10_000
/** Between two questions whether it serves. */
const askMs = 50
/** How long requests that run may take to finish once the heir serves. */
const drainMs = 30_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Orphan {
  readonly #worker: Worker
  readonly #directory: string
  readonly #index: number
  readonly #receive: (message: PrimaryToWorker) => void
  #channel: Channel<PrimaryToControl, ControlToPrimary> | undefined
  #heirServes = false

  constructor(worker: Worker, directory: string, index: number, receive: (message: PrimaryToWorker) => void) {
    this.#worker = worker
    this.#directory = directory
    this.#index = index
    this.#receive = receive
  }

  /** To the heir, once there is one: it must know what is still under way here. */
  tell(message: WorkerToPrimary): void {
    this.#channel?.send({ type: 'fromOrphan', message })
  }

  async run(): Promise<void> {
    if (this.#worker.draining) return
    await pause(this.#index * turnMs)
    if (this.#worker.connections.descriptors().length === 0) {
      return this.#end((await this.#waitForHeir(heirTimeoutMs)) ? undefined : 'the primary has died before there was anything to serve')
    }
    for (let attempt = 0; !(await this.#waitForHeir(attempt === 0 ? 200 : heirTimeoutMs)); attempt++) {
      if (!existsSync(wantedFile(this.#directory))) return this.#end('the proxy was shut down')
      this.#startHeir()
      if (await this.#waitForHeir(heirTimeoutMs)) break
      // It cannot be started now (no descriptors, no memory): serving goes on, and it is tried again.
      await pause(Math.min(retryMsMax, turnMs * 2 ** attempt))
    }
    await this.#end(undefined)
  }

  /** `why`: undefined when there is an heir, as there should be. */
  async #end(why: string | undefined): Promise<void> {
    if (why !== undefined) process.stderr.write(`${why}: this worker ends\n`)
    await this.#worker.shutdown(drainMs, true)
    process.exit(0)
  }

  #startHeir(): void {
    const failed = (reason: string): void => {
      process.stderr.write(`starting a new primary failed: ${reason}\n`)
    }
    try {
      const listeners = this.#worker.connections.descriptors()
      launchPrimary({
        directory: this.#directory,
        workers: 0,
        inherited: listeners.map(({ name, host, port }, index) => ({ name, host, port, fd: 3 + index })),
        descriptors: listeners.map(({ fd }) => fd),
        onFailed: failed,
      })
    } catch (error) {
      failed(messageOf(error))
    }
  }

  /** Whether within the time a primary answers and says that its own workers serve. */
  async #waitForHeir(withinMs: number): Promise<boolean> {
    const end = performance.now() + withinMs
    do {
      this.#ask()
      await pause(askMs)
      if (this.#heirServes) return true
    } while (performance.now() < end)
    return false
  }

  /** The connection stays: over it come views, exits and drains until this worker has ended. */
  #ask(): void {
    if (!this.#channel) {
      const channel: Channel<PrimaryToControl, ControlToPrimary> = new Channel<PrimaryToControl, ControlToPrimary>(
        connect(socketPath(this.#directory, 'proxy')),
        (message) => {
          if (message.type === 'welcome') this.#heirServes = message.workers > 0
          else if (message.type === 'toOrphan') this.#receive(message.message)
        },
        () => {
          if (this.#channel === channel) this.#channel = undefined
        },
      )
      this.#channel = channel
      this.#hello(channel)
      this.tell({ type: 'holds', leases: this.#worker.heldLeases(), slots: this.#worker.fleet.heldSlots() })
      return
    }
    this.#hello(this.#channel)
  }

  #hello(channel: Channel<PrimaryToControl, ControlToPrimary>): void {
    channel.send({ type: 'hello', protocol: protocolVersion, role: 'orphan', pid: process.pid })
  }
}
