/**
 * Requests at a pace that does not wait for answers, on as many connections as it takes, each with a head as large as wanted. It
 * does next to nothing per request, so that the cores are left to what is measured.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface SteadyLoadOptions {
  readonly port: number
  readonly requestsPerSecond: number
  readonly headBytes: number
}

export interface Answers {
  sent: number
  ok: number
  /** 503 with Retry-After. */
  refused: number
  /** Another status, a broken connection, no answer. */
  other: number
  /** Of the 200s, in milliseconds. */
  readonly latencies: number[]
}

const beatMs = 10
const stallMs = 50
/** How long the last answers may take to come. */
const patienceMs = 30_000

export class SteadyLoad {
  readonly #options: SteadyLoadOptions
  readonly #request: Buffer
  readonly #idle: Socket[] = []
  /** With the time of the request. */
  readonly #waiting = new Map<Socket, number>()
  readonly #answers: Answers = { sent: 0, ok: 0, refused: 0, other: 0, latencies: [] }
  #timer: NodeJS.Timeout | undefined

  constructor(options: SteadyLoadOptions) {
    this.#options = options
    const filling = 'x'.repeat(3_000)
    const fields = Array.from({ length: Math.floor(options.headBytes / filling.length) }, (_, i) => `X-Filling-${i}: ${filling}\r\n`)
    this.#request = Buffer.from(`GET / HTTP/1.1\r\nHost: load\r\n${fields.join('')}\r\n`)
  }

  start(): void {
    let before = performance.now()
    let due = 0
    this.#timer = setInterval(() => {
      const now = performance.now()
      // What was missed in a stall of ours is not made up for: that would be a burst.
      due += (Math.min(now - before, stallMs) / 1_000) * this.#options.requestsPerSecond
      before = now
      for (; due >= 1; due--) this.#send()
    }, beatMs)
  }

  /** Sends nothing more; resolves when all has been answered, or nothing more comes. */
  async stop(): Promise<Readonly<Answers>> {
    clearInterval(this.#timer)
    const deadline = performance.now() + patienceMs
    while (this.#waiting.size > 0 && performance.now() < deadline) await sleep(50)
    this.#answers.other += this.#waiting.size
    for (const socket of [...this.#waiting.keys(), ...this.#idle]) socket.destroy()
    return this.#answers
  }

  #send(): void {
    this.#answers.sent++
    const socket = this.#idle.pop() ?? this.#open()
    this.#waiting.set(socket, performance.now())
    socket.write(this.#request)
  }

  #open(): Socket {
    const socket = connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true })
    // Both kinds of answer are small and come in one piece.
    socket.on('data', (chunk) => {
      const sentAt = this.#waiting.get(socket)
      if (sentAt === undefined) return
      this.#waiting.delete(socket)
      this.#count(chunk.toString('latin1'), performance.now() - sentAt)
      this.#idle.push(socket)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      const index = this.#idle.indexOf(socket)
      if (index >= 0) this.#idle.splice(index, 1)
      if (this.#waiting.delete(socket)) this.#answers.other++
    })
    return socket
  }

  #count(answer: string, latencyMs: number): void {
    if (answer.startsWith('HTTP/1.1 200')) {
      this.#answers.ok++
      this.#answers.latencies.push(latencyMs)
    } else if (answer.startsWith('HTTP/1.1 503') && /\r\nretry-after: \d+\r\n/i.test(answer)) this.#answers.refused++
    else this.#answers.other++
  }
}
