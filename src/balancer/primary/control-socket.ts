/** The Unix socket on which control processes and orphaned workers find the primary. One primary per data directory: whoever answers there has it. */
import { rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Channel } from '../channel.ts'
import type { ControlToPrimary, PrimaryToControl } from '../messages.ts'
import type { ProxySignal, ProxyTelemetry } from '../port.ts'

export type ControlChannel = Channel<ControlToPrimary, PrimaryToControl>

export interface ControlSocketOptions {
  readonly path: string
  readonly onMessage: (channel: ControlChannel, message: ControlToPrimary) => void
  readonly onClosed: (channel: ControlChannel) => void
}

export class ControlSocket {
  readonly #options: ControlSocketOptions
  /** Control processes; an orphan's channel is none of them. */
  readonly #controls = new Set<ControlChannel>()
  #server: Server | undefined

  constructor(options: ControlSocketOptions) {
    this.#options = options
  }

  /** False when another primary answers there. */
  async open(): Promise<boolean> {
    const { path } = this.#options
    if (await answers(path)) return false
    rmSync(path, { force: true })
    const server = createServer((socket) => {
      this.#onConnection(socket)
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // The directory is 0700; the socket is too, for the case that it lies in a common folder.
      const mask = process.umask(0o177)
      server.listen(path, resolve)
      process.umask(mask)
    })
    return true
  }

  #onConnection(socket: Socket): void {
    const { onMessage, onClosed } = this.#options
    const channel: ControlChannel = new Channel<ControlToPrimary, PrimaryToControl>(
      socket,
      (message) => {
        onMessage(channel, message)
      },
      () => {
        this.#controls.delete(channel)
        onClosed(channel)
      },
    )
  }

  /** From now on it hears signals and readings. */
  subscribe(channel: ControlChannel): void {
    this.#controls.add(channel)
  }

  /** A control process is there. */
  get connected(): boolean {
    return this.#controls.size > 0
  }

  signal(signal: ProxySignal): void {
    for (const control of this.#controls) control.send({ type: 'signal', signal })
  }

  publish(telemetry: () => ProxyTelemetry): void {
    // One that does not read (stopped, hung) gets no more until it has read what it was sent.
    const reading = [...this.#controls].filter((control) => !control.behind)
    if (reading.length === 0) return
    const message: PrimaryToControl = { type: 'telemetry', telemetry: telemetry() }
    for (const control of reading) control.send(message)
  }

  close(): void {
    for (const control of this.#controls) control.close()
    this.#server?.close()
    rmSync(this.#options.path, { force: true })
  }
}

/** Whether somebody accepts on the Unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => {
      resolve(false)
    })
  })
}
