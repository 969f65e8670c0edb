/** What Holdfast promises of a chaos run, as rules over its tally: the exit code of `npm run chaos`. */
import type { Tally } from './tally.ts'

export interface Promises {
  /**
   * `none`: no POST may fail. `explained`: a POST whose instance was killed may fail, but only with a 502 that says why.
   * `cut`: what was on a killed worker's own connections may be cut, GET and POST.
   */
  readonly losses: 'none' | 'explained' | 'cut'
}

export interface Disturbance {
  /** What was done, how often: `kill -9` of 5 instances. */
  readonly actions: number
  /** POSTs in flight at the moments of the kills, all together. */
  readonly postsInFlight: number
  /** Client connections of the killed workers, all together. */
  readonly workerConnections: number
}

/** The broken promises, each as a sentence; empty when all were kept. */
export function brokenPromises({ losses }: Promises, counted: Tally, disturbance: Disturbance): string[] {
  const broken: string[] = []
  const rule = (kept: boolean, sentence: string): void => {
    if (!kept) broken.push(sentence)
  }
  rule(disturbance.actions > 0, 'nothing was disturbed, so nothing was proved')
  rule(counted.requests > 0, 'no request was sent')
  rule(counted.executedTwice === 0, `${counted.executedTwice} POSTs were executed twice`)
  rule(counted.acknowledgedNotExecuted === 0, `${counted.acknowledgedNotExecuted} POSTs were acknowledged and never executed`)
  if (losses === 'cut') {
    const answered = counted.failedGet + counted.failedPost - counted.cut
    rule(answered === 0, `${answered} requests were answered with an error`)
    rule(
      counted.cut <= disturbance.workerConnections,
      `${counted.cut} requests were cut, on ${disturbance.workerConnections} connections of killed workers`,
    )
    return broken
  }
  rule(counted.failedGet === 0, `${counted.failedGet} GETs failed`)
  if (losses === 'none') {
    rule(counted.failedPost === 0, `${counted.failedPost} POSTs failed`)
    return broken
  }
  const unexplained = counted.failedPost - counted.failedPostExplained
  rule(unexplained === 0, `${unexplained} POSTs failed without a 502 that names the reason`)
  rule(
    counted.failedPost <= disturbance.postsInFlight,
    `${counted.failedPost} POSTs failed, with ${disturbance.postsInFlight} in flight at the kills`,
  )
  return broken
}
