/**
 * How long a client may still take for the body of its request. It has a credit of time, which runs while it is its turn, and which every byte
 * fills up again a little, never beyond the full credit: whoever keeps to the least rate goes on for ever, whoever is slower runs dry the
 * sooner the slower it is, and a long fast beginning buys no slow end. Apache's `RequestReadTimeout body=30,MinRate=500`, with a ceiling.
 *
 *   credit
 *   30 s ┤▔▔╲    ╱▔▔▔▔ (held: not its turn)      a byte gives 2 ms
 *        │   ╲__╱     ╲
 *      0 ┤             ╲___ too slow
 */

/** The least rate of a body, in bytes per second, over more than the grace. */
export const bodyRateMin = 500
/** The full credit: so long a client may send nothing, or less than the least rate. */
export const bodyGraceMs = 30_000

export class BodyPace {
  #credit = bodyGraceMs
  /** It has been the client's turn since; undefined: it is not. */
  #since: number | undefined

  /** A new body. */
  begin(): void {
    this.#credit = bodyGraceMs
    this.#since = undefined
  }

  /** It is the client's turn. */
  run(now: number): void {
    this.#since ??= now
  }

  /** Something else is waited for. */
  hold(now: number): void {
    this.#settle(now)
    this.#since = undefined
  }

  received(bytes: number, now: number): void {
    this.#settle(now)
    this.#credit = Math.min(bodyGraceMs, this.#credit + (bytes / bodyRateMin) * 1_000)
  }

  /** When the credit is used up unless more comes. */
  get deadline(): number {
    return this.#since === undefined ? Infinity : this.#since + this.#credit
  }

  #settle(now: number): void {
    if (this.#since === undefined) return
    this.#credit = Math.max(0, this.#credit - (now - this.#since))
    this.#since = now
  }
}
