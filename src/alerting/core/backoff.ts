/** Waits between attempts: half a second, half as long again each time, at most a minute, each half more or less by chance. */
const first = 500
const factor = 1.5
const longest = 60_000

/** Before attempt `attempts + 1`; `chance` is from 0 to 1. */
export const waitAfter = (attempts: number, chance: number): number => Math.min(longest, first * factor ** (attempts - 1)) * (0.5 + chance)
