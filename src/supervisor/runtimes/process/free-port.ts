/**
 * Ports for instances. A port is tried by binding it, then let go for the instance to take. In between somebody else
 * may take it, so ports come from just below the range that the kernel gives to outgoing connections (a busy proxy
 * opens thousands of those), and none is given twice within a minute.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { HoldfastError } from '../../../kernel/errors.ts'
import type { Random } from '../../../kernel/random.ts'
import { between } from '../../../kernel/random.ts'
import { minutes, type Clock, type Duration, type Instant } from '../../../kernel/time.ts'

/** A port is not given again for so long, even when its instance has ended. */
const reuseAfter: Duration = minutes(1)
/** How many ports below the kernel's range are ours to choose from. */
const bandSize = 10_000
/** Ports tried before giving up: the band is full. */
const attemptsMax = 200

export class FreePorts {
  readonly #clock: Clock
  readonly #random: Random
  readonly #held = new Set<number>()
  readonly #released = new Map<number, Instant>()
  #band: { readonly low: number; readonly high: number } | undefined

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** A port on which nothing listens, held until `release`. Throws `no_free_port`. */
  take(): number {
    this.#band ??= readBand()
    this.#forgetReleased()
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const port = between(this.#random, this.#band.low, this.#band.high)
      if (this.#held.has(port) || this.#released.has(port) || !isFree(port)) continue
      this.#held.add(port)
      return port
    }
    throw new HoldfastError(
      'no_free_port',
      `looked for a free port between ${this.#band.low} and ${this.#band.high}: found none in ${attemptsMax} tries`,
      {
        hint: 'end what holds those ports, or give the service a port of its own',
      },
    )
  }

  /** An instance that was taken over has it. */
  hold(port: number): void {
    this.#held.add(port)
  }

  release(port: number): void {
    if (this.#held.delete(port)) this.#released.set(port, this.#clock.now())
  }

  #forgetReleased(): void {
    for (const [port, at] of this.#released) {
      if (this.#clock.now() - at < reuseAfter) break
      this.#released.delete(port)
    }
  }
}

/** Whether nothing listens on the port, on any address of this machine. Answers in the same tick. */
export function isFree(port: number): boolean {
  const server = createServer()
  // A port in use shows twice: no address now, and an error event later that says nothing new.
  server.on('error', () => undefined)
  server.listen({ port, exclusive: true })
  const free = server.address() !== null
  server.close()
  return free
}

function readBand(): { low: number; high: number } {
  const standard = { low: 22_768, high: 32_767 }
  try {
    const low = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0])
    return low > bandSize * 1.5 ? { low: low - bandSize, high: low - 1 } : standard
  } catch {
    // No /proc: the other systems' ranges begin at 49152, so the standard band is clear of them.
    return standard
  }
}
