/** The real clock and the real dice. The only file that may touch them; everything else is handed a `Clock` or a `Random`. */
import { randomBytes } from 'node:crypto'
import type { Random } from './random.ts'
import { instant, wallTime, type Clock } from './time.ts'

/** `setTimeout` takes longer waits for 1 ms. */
const timeoutMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => instant(performance.now()),
  wallTime: () => wallTime(Date.now()),
  schedule(at, task) {
    // A timeout may also end early: it is cut to whole milliseconds and counts from the beginning of the current tick.
    const arm = (): NodeJS.Timeout => setTimeout(ring, Math.min(timeoutMax, Math.max(0, Math.ceil(at - performance.now()))))
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
