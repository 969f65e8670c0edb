/**
 * Whether a state changes too often to be told each time (Nagios, base/flapping.c): the last 21 states, of whose 20 changes the newest weigh 1.25 and the
 * oldest 0.75. 30 % is flapping, 15 % is not any more.
 */
export const flapStates = 21
const changes = flapStates - 1
export const flapHigh = 30
export const flapLow = 15

/** Percent. `states`: oldest first, at most 21. */
export function flapPercent(states: readonly string[]): number {
  const last = states.slice(-flapStates)
  let sum = 0
  for (let i = 1; i < last.length; i++) {
    // The newest change has the weight of the 20th, however few there are.
    const place = changes - (last.length - 1 - i)
    if (last[i] !== last[i - 1]) sum += 0.75 + ((place - 1) * 0.5) / (changes - 1)
  }
  return (100 * sum) / changes
}

export const isFlapping = (before: boolean, percent: number): boolean => (before ? percent > flapLow : percent >= flapHigh)
