/** How fine an answer is: steps that people think in, and no more points than somebody can look at. */
export const secondMs = 1_000
export const minuteMs = 60_000
export const hourMs = 60 * minuteMs
export const dayMs = 24 * hourMs

/** Points of a series in one answer, unless a step was asked for. */
export const pointsMax = 1_000

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400].map((seconds) => seconds * secondMs)

/** The finest step of at least `finest` that makes at most `pointsMax` points. */
export function stepFor(spanMs: number, finest: number = secondMs): number {
  const found = steps.find((step) => step >= finest && spanMs / step <= pointsMax)
  return found ?? Math.ceil(spanMs / pointsMax / dayMs) * dayMs
}
