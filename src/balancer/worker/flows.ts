/**
 * Which services are called by connections that begin on this machine, so that the control process can find out who calls whom. A sample: each second as many as are
 * told at most, drawn evenly out of all (reservoir sampling, Vitter's algorithm R). A connection from elsewhere
 * costs one look at its address, and a request nothing.
 */
import { networkInterfaces } from 'node:os'
import type { Random } from '../../kernel/random.ts'
import type { Flow } from '../core/flow.ts'

/** Flows a worker tells each second. */
const toldMax = 128
/** How often the machine is asked for its addresses, in tellings. */
const addressesEvery = 60

export class Flows {
  readonly #random: Random
  #own: ReadonlySet<string> = ownAddresses()
  #tellings = 0
  #told: Flow[] = []
  #offered = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Whether a client of this address is on this machine. */
  isOwn(address: string): boolean {
    return this.#own.has(address)
  }

  offer(port: number, service: string, calls: number): void {
    this.#offered++
    if (this.#told.length < toldMax) {
      this.#told.push({ port, service, calls })
      return
    }
    const place = Math.floor(this.#random.next() * this.#offered)
    if (place < toldMax) this.#told[place] = { port, service, calls }
  }

  /** undefined: there were none. */
  take(): readonly Flow[] | undefined {
    if (++this.#tellings % addressesEvery === 0) this.#own = ownAddresses()
    if (this.#told.length === 0) return undefined
    const told = this.#told
    this.#told = []
    this.#offered = 0
    return told
  }
}

const ownAddresses = (): ReadonlySet<string> =>
  new Set(['127.0.0.1', '::1', ...Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address))])
