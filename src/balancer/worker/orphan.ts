/**
 * What a worker does when the primary has died. It goes on serving: its sockets are its own. One of the workers (the
 * lowest index first, the others a little later if nothing happened) starts a new primary and hands it the listening
 * descriptors, so that no connection is refused meanwhile. When the new primary's workers accept, the orphans
 * stop accepting, finish what they have, and end.
 *
 *   serving alone ──wait index × 300 ms──▶ nobody answers: start an heir │ somebody answers
 *                                                └──▶ heir ready ──▶ draining ──▶ ended
 */
import { spawn } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { connect } from 'node:net'
import { processArguments, proxyLogFile, socketPath } from '../paths.ts'
import { Channel } from '../channel.ts'
import { protocolVersion, type ControlToPrimary, type PrimaryToControl } from '../messages.ts'
import type { Worker } from './worker.ts'

const turnMs = 300
/** How long an heir may take to serve before somebody else tries. */
const heirTimeoutMs = 5_000
const attemptsMax = 5
/** How long requests that run may take to finish once the heir serves. */
const drainMs = 30_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Orphan {
  readonly #worker: Worker
  readonly #directory: string
  readonly #index: number

  constructor(worker: Worker, directory: string, index: number) {
    this.#worker = worker
    this.#directory = directory
    this.#index = index
  }

  async run(): Promise<void> {
    if (this.#worker.draining) return
    await pause(this.#index * turnMs)
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (await this.#primaryServes(attempt === 0 ? 200 : heirTimeoutMs)) break
      this.#startHeir()
      if (await this.#primaryServes(heirTimeoutMs)) break
    }
    await this.#worker.shutdown(drainMs, true)
    process.exit(0)
  }

  #startHeir(): void {
    const listeners = this.#worker.listeningDescriptors()
    const primary = processArguments('primary')
    const log = openSync(proxyLogFile(this.#directory), 'a', 0o600)
    const child = spawn(process.execPath, [...primary.node, primary.module], {
      detached: true,
      stdio: ['ignore', log, log, ...listeners.map(({ fd }) => fd)],
      env: {
        ...process.env,
        NODE_CHANNEL_FD: undefined,
        HOLDFAST_PROXY: JSON.stringify({
          directory: this.#directory,
          workers: 0,
          inherited: listeners.map(({ name, host, port }, index) => ({ name, host, port, fd: 3 + index })),
        }),
      },
    })
    child.unref()
    closeSync(log)
  }

  /** Whether a primary answers and says that its workers accept, within the time. */
  async #primaryServes(withinMs: number): Promise<boolean> {
    const end = performance.now() + withinMs
    do {
      if (await this.#asksOnce()) return true
      await pause(50)
    } while (performance.now() < end)
    return false
  }

  #asksOnce(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(socketPath(this.#directory, 'proxy'))
      const channel = new Channel<PrimaryToControl, ControlToPrimary>(
        socket,
        (message) => {
          if (message.type !== 'welcome') return
          resolve(message.workers > 0)
          channel.close()
        },
        () => {
          resolve(false)
        },
      )
      socket.on('connect', () => {
        channel.send({ type: 'hello', protocol: protocolVersion, role: 'orphan' })
      })
    })
  }
}
