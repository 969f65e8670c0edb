/**
 * A port on which nobody ever answers, not even with a refusal: a listener that is stopped, with its queue full. The kernel drops whatever
 * comes then, as a host does that is not there.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { eventually } from './balancer-harness.ts'

const script = `const server = require('node:net').createServer(); server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port))`
/** More than a queue for one holds. */
const fillers = 8

export class SilentListener {
  readonly port: number
  readonly #process: ChildProcess
  readonly #sockets: readonly Socket[]

  private constructor(port: number, child: ChildProcess, sockets: readonly Socket[]) {
    this.port = port
    this.#process = child
    this.#sockets = sockets
  }

  static async start(): Promise<SilentListener> {
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const port = await eventually('it listens', () => (said.includes('\n') ? Number(said) : undefined))
    child.kill('SIGSTOP')
    const sockets = Array.from({ length: fillers }, () => connect({ port, host: '127.0.0.1' }).on('error', () => undefined))
    await eventually('its queue is full', () => (sockets.filter((socket) => !socket.connecting).length >= 2 ? true : undefined))
    return new SilentListener(port, child, sockets)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill('SIGKILL')
    await ended
  }
}
