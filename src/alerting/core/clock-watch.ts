/**
 * Whether the clock on the wall was set. What has been waiting for a minute goes on waiting from there: without this, a clock set an hour ahead ends every alert that is
 * not put again in time and tells all of it, and one set back has everybody wait for an hour. Silences and times of the day go by the clock, as people mean them.
 */

/** Less is the usual wandering. */
const jumpFromMs = 5_000

export class ClockWatch {
  #last: { readonly wall: number; readonly steady: number } | undefined

  /** By how much since the last look. 0: it went as time does. */
  jumped(wall: number, steady: number): number {
    const last = this.#last
    this.#last = { wall, steady }
    if (last === undefined) return 0
    const by = wall - last.wall - (steady - last.steady)
    return Math.abs(by) < jumpFromMs ? 0 : by
  }
}
