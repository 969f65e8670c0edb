/** The real clock and the real dice. The only file that may touch them; everything else is handed a `Clock` or a `Random`. */
import { randomBytes } from 'node:crypto'
import type { Random } from './random.ts'
import { instant, wallTime, type Clock } from './time.ts'

export const systemClock: Clock = {
  now: () => instant(performance.now()),
  wallTime: () => wallTime(Date.now()),
  schedule(at, task) {
    const timer = setTimeout(task, Math.max(0, at - performance.now()))
    return {
      [Symbol.dispose]: () => {
        clearTimeout(timer)
      },
    }
  },
}

/** Chance for load spreading and jitter. Secrets come from `node:crypto` directly, never from here. */
export const systemRandom: Random = { next: Math.random }

/**
 * A new id: 48 bits of wall time and 80 random bits in Crockford base32 (26 characters), so ids sort
 * by the time they were made. Source: the ULID specification.
 */
export function newId(): string {
  const bytes = Buffer.allocUnsafe(16)
  bytes.writeUIntBE(Date.now(), 0, 6)
  randomBytes(10).copy(bytes, 6)
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  let value = BigInt(`0x${bytes.toString('hex')}`)
  let id = ''
  for (let i = 0; i < 26; i++) {
    id = alphabet.charAt(Number(value & 31n)) + id
    value >>= 5n
  }
  return id
}
