/** GETs at a constant pace that does not wait for answers, each timed from the moment it was due (no coordinated omission), and who served it. */
import { Agent, request } from 'node:http'

export interface PacedLoadOptions {
  readonly port: number
  readonly requestsPerSecond: number
}

export interface Served {
  /** When it was due, on the monotonic clock. */
  readonly startedAt: number
  readonly endedAt: number
  /** 200, and a whole answer. */
  readonly ok: boolean
  /** The pid that the answer names; NaN: none. */
  readonly by: number
}

const beatMs = 2
const patienceMs = 10_000
const socketsMax = 1_000

export class PacedLoad {
  readonly #options: PacedLoadOptions
  readonly #agent = new Agent({ keepAlive: true, maxSockets: socketsMax })
  readonly #asked: Promise<Served>[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: PacedLoadOptions) {
    this.#options = options
  }

  start(): void {
    const beganAt = performance.now()
    const everyMs = 1_000 / this.#options.requestsPerSecond
    this.#timer = setInterval(() => {
      for (;;) {
        const due = beganAt + this.#asked.length * everyMs
        if (due > performance.now()) return
        this.#asked.push(this.#ask(due))
      }
    }, beatMs)
  }

  /** Sends nothing more; resolves when all have been answered. */
  async stop(): Promise<readonly Served[]> {
    clearInterval(this.#timer)
    const served = await Promise.all(this.#asked)
    this.#agent.destroy()
    return served
  }

  #ask(startedAt: number): Promise<Served> {
    return new Promise((resolve) => {
      const end = (ok: boolean, by: number): void => {
        resolve({ startedAt, endedAt: performance.now(), ok, by })
      }
      const asked = request({ host: '127.0.0.1', port: this.#options.port, agent: this.#agent, timeout: patienceMs }, (response) => {
        let text = ''
        response.setEncoding('latin1').on('data', (piece: string) => (text += piece))
        response.on('error', () => {
          end(false, NaN)
        })
        response.on('end', () => {
          end(response.statusCode === 200 && response.complete, Number(text))
        })
      })
      asked.on('timeout', () => asked.destroy(new Error('timed out')))
      asked.on('error', () => {
        end(false, NaN)
      })
      asked.end()
    })
  }
}
