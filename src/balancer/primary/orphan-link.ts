/** A worker of the primary before this one, on its way out: it is told and heard like our own until it has ended. */
import { codeOf } from '../../kernel/errors.ts'
import type { Channel } from '../channel.ts'
import type { ControlToPrimary, PrimaryToControl, PrimaryToWorker } from '../messages.ts'
import type { Peer } from './peer.ts'

export class OrphanLink implements Peer {
  readonly pid: number
  readonly ready = true
  readonly own = false
  viewVersion = -1
  readonly #channel: Channel<ControlToPrimary, PrimaryToControl>

  constructor(pid: number, channel: Channel<ControlToPrimary, PrimaryToControl>) {
    this.pid = pid
    this.#channel = channel
  }

  send(message: PrimaryToWorker): void {
    this.#channel.send({ type: 'toOrphan', message })
  }

  /** It takes no orders: it may end as it likes. */
  giveUp(): void {
    this.#channel.close()
  }

  kill(): void {
    try {
      process.kill(this.pid, 'SIGKILL')
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error
    }
  }
}
