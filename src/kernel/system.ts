/** The real clock and the real dice. The only file that may touch them; everything else is handed a `Clock` or a `Random`. */
import { randomBytes } from 'node:crypto'
import type { EventLoopUtilization } from 'node:perf_hooks'
import type { Random } from './random.ts'
import { instant, wallTime, type Clock } from './time.ts'

/** `setTimeout` takes longer waits for 1 ms. */
const timeoutMax = 2 ** 31 - 1

const makeClock = (keepsAlive: boolean): Clock => ({
  now: () => instant(performance.now()),
  wallTime: () => wallTime(Date.now()),
  schedule(at, task) {
    // A timeout may also end early: it is cut to whole milliseconds and counts from the beginning of the current tick.
    const arm = (): NodeJS.Timeout => {
      const timeout = setTimeout(ring, Math.min(timeoutMax, Math.max(0, Math.ceil(at - performance.now()))))
      return keepsAlive ? timeout : timeout.unref()
    }
    const ring = (): void => {
      if (performance.now() >= at) task()
      else timer = arm()
    }
    let timer = arm()
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer)
      },
    }
  },
})

export const systemClock: Clock = makeClock(true)

/** The same time; its timers keep no process alive. For what lives in somebody else's program. */
export const backgroundClock: Clock = makeClock(false)

let turnNow = 0

/**
 * Monotonic milliseconds for where reading the clock would cost more than the work itself: read once a millisecond, and standing still within a turn of
 * the event loop.
 */
export function coarseNow(): number {
  if (turnNow === 0) {
    turnNow = performance.now()
    setTimeout(() => {
      turnNow = 0
    }, 1).unref()
  }
  return turnNow
}

/** Chance for load spreading and jitter. Secrets come from `node:crypto` directly, never from here. */
export const systemRandom: Random = { next: Math.random }

const idAlphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const randomBits = 80n
let lastId = 0n

/**
 * A new id: 48 bits of wall time and 80 random bits in Crockford base32 (26 characters). Each is above all
 * that this process made before, also within a millisecond and when the wall clock goes back. Source: the
 * ULID specification, "Monotonicity".
 */
export function newId(): string {
  const fresh = (BigInt(Date.now()) << randomBits) | BigInt(`0x${randomBytes(10).toString('hex')}`)
  lastId = fresh >> randomBits > lastId >> randomBits ? fresh : lastId + 1n
  let rest = lastId
  let id = ''
  for (let i = 0; i < 26; i++) {
    id = idAlphabet.charAt(Number(rest & 31n)) + id
    rest >>= 5n
  }
  return id
}

/** Milliseconds on the machine's own monotonic clock: the same for all processes, so that their instants can be compared. */
export const machineNow = (): number => Number(process.hrtime.bigint()) / 1e6

/** How busy this process's event loop was: since its beginning, or between two readings. */
export const eventLoopUtilization = (now?: EventLoopUtilization, before?: EventLoopUtilization): EventLoopUtilization =>
  performance.eventLoopUtilization(now, before)
