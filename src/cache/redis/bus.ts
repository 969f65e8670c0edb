/**
 * What changed elsewhere, heard over Redis. Messages may be lost without a word: so each sender numbers its own, and everybody listens to a beat that it
 * sends itself, which comes by the same way.
 *
 *   deaf ──own beat heard──▶ hearing ──no own beat for a second, or a number missing──▶ `missed`: nothing kept before is trusted
 */
import { randomBytes } from 'node:crypto'
import { decodeFrame, encodeFrame, unsentMax, type Frame, type FrameKind } from '../core/frame.ts'
import type { FarListener } from '../ports.ts'

export const beatMs = 250
/** No beat for so long: nothing is heard. */
export const deafMs = 1_000
/** Senders whose numbers are known; the one longest silent is forgotten, which is like hearing it for the first time. */
const sendersMax = 10_000

/** Whether there was one between the last that was heard and this. */
function isGap(before: number, { number, unsent }: Frame): boolean {
  // Late: it was thought lost, or its sender began anew.
  if (number <= before) return true
  for (let each = before + 1; each < number; each++) if (!unsent.includes(each)) return true
  return false
}

export class Bus {
  readonly #sender = randomBytes(8).toString('hex')
  readonly #numbers = new Map<string, number>()
  readonly #changed: () => void
  #listener: FarListener | undefined
  #sent = 0
  /** Told with the next one. */
  #unsent: readonly number[] = []
  #heardAt = -Infinity
  #hearing = false
  /** From here to here, of the last beat. */
  lagMs = 0
  /** Messages missed, and times that nothing was heard. */
  gaps = 0

  /** `changed`: it has begun to hear, or is deaf. */
  constructor(changed: () => void) {
    this.#changed = changed
  }

  /** The channel of its own beats. */
  get sender(): string {
    return this.#sender
  }

  get hearing(): boolean {
    return this.#hearing
  }

  listen(listener: FarListener): void {
    this.#listener = listener
  }

  /** It carries when it was sent, by the clock of who sends and hears it. */
  beat(now: number): Buffer {
    return encodeFrame({ kind: 'beat', sender: this.#sender, number: this.#sent, unsent: [], at: now, names: [] })
  }

  frame(kind: FrameKind, at: number, names: readonly string[] = []): Frame {
    return { kind, sender: this.#sender, number: ++this.#sent, unsent: this.#unsent, at, names }
  }

  /** How it went with one of them. Whether others have heard it, when it was not acknowledged, nobody knows. */
  sent({ number, unsent }: Frame, acknowledged: boolean): void {
    if (!acknowledged) this.#unsent = [...this.#unsent, number].slice(-unsentMax)
    else if (unsent.length > 0) this.#unsent = this.#unsent.filter((each) => !unsent.includes(each))
  }

  hear(message: Buffer, now: number): void {
    const frame = decodeFrame(message)
    if (frame === undefined) return
    if (frame.sender === this.#sender) {
      if (frame.kind === 'beat') {
        this.lagMs = Math.max(0, now - frame.at)
        this.#beat(now)
      }
      return
    }
    if (frame.kind === 'beat') return
    const before = this.#numbers.get(frame.sender)
    this.#numbers.delete(frame.sender)
    this.#numbers.set(frame.sender, frame.number)
    if (this.#numbers.size > sendersMax) this.#forgetOne()
    if (before !== undefined && isGap(before, frame)) {
      this.gaps++
      this.#listener?.missed()
    }
    if (frame.kind === 'keys') this.#listener?.keysChanged(frame.names, frame.at)
    else if (frame.kind === 'tags') this.#listener?.tagsInvalidated(frame.names, frame.at)
    else this.#listener?.allInvalidated(frame.at)
  }

  #beat(now: number): void {
    this.#heardAt = now
    if (this.#hearing) return
    this.#hearing = true
    this.#numbers.clear()
    this.#listener?.missed()
    this.#changed()
  }

  #forgetOne(): void {
    for (const sender of this.#numbers.keys()) {
      this.#numbers.delete(sender)
      return
    }
  }

  /** To be called now and then. */
  check(now: number): void {
    if (!this.#hearing || now - this.#heardAt < deafMs) return
    this.#hearing = false
    this.gaps++
    this.#changed()
  }
}
