/** Chance as an argument. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
}

/** Seeded randomness (mulberry32): the same seed always tells the same story. */
export class Prng implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const chance = (random: Random, probability: number): boolean => random.next() < probability

/** A whole number in [min, max]. */
export const between = (random: Random, min: number, max: number): number => min + Math.floor(random.next() * (max - min + 1))

/** `value` × a factor drawn evenly from [1 − share, 1 + share]. */
export const jitter = (random: Random, value: number, share: number): number => value * (1 - share + random.next() * 2 * share)
