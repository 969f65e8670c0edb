/** A worker of the primary before this one, on its way out: it is told and heard like our own until it has ended. */
import type { Channel } from '../channel.ts'
import type { ControlToPrimary, PrimaryToControl, PrimaryToWorker } from '../messages.ts'

export class OrphanLink {
  readonly pid: number
  readonly #channel: Channel<ControlToPrimary, PrimaryToControl>
  /** The last view it said it routes by. */
  viewVersion = -1

  constructor(pid: number, channel: Channel<ControlToPrimary, PrimaryToControl>) {
    this.pid = pid
    this.#channel = channel
  }

  send(message: PrimaryToWorker): void {
    this.#channel.send({ type: 'toOrphan', message })
  }

  /** It takes no orders: it may end as it likes. */
  letGo(): void {
    this.#channel.close()
  }
}
