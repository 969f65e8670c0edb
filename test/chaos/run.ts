/** One case on one system: start, load, disturb, stop, count. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Done, Run } from './cases.ts'
import { Load } from './load.ts'
import { brokenPromises, type Disturbance, type Promises } from './promises.ts'
import { counterFileOf, readExecuted, type System } from './systems/system.ts'
import { postsInFlightAt, tally, type Tally } from './tally.ts'

export interface CaseResult {
  readonly system: string
  readonly case: string
  readonly tally: Tally
  readonly disturbance: Disturbance
  readonly retried: number | undefined
  readonly parked: number | undefined
  /** Sentences; empty when every promise was kept. */
  readonly broken: readonly string[]
  /** What kept the run from being one: a start that failed, a command that failed, something left behind. */
  readonly problems: readonly string[]
}

export interface RunSettings {
  readonly seconds: number
  readonly connections: number
  readonly requestsPerSecond: number
  readonly seed: number
  readonly directory: string
  /** Ends the case before its time. */
  readonly signal: AbortSignal
}

/** Load before the first and after the last disturbance, so that both ends are seen. */
const settleMs = 500

export async function runCase<S extends System>(
  chaosCase: Promises & { readonly name: string; disturb(run: Run<S>): Promise<void> },
  system: S,
  { seconds, connections, requestsPerSecond, seed, directory, signal }: RunSettings,
): Promise<CaseResult> {
  const done: Done = { actions: 0, killedAt: [], workerConnections: 0 }
  const problems: string[] = []
  let exchanges: Awaited<ReturnType<Load['stop']>> = []
  let counters: Awaited<ReturnType<System['counters']>>
  try {
    await system.start()
    const load = new Load({ port: system.port, connections, requestsPerSecond, seed })
    load.start()
    try {
      await sleep(settleMs)
      const endsAt = performance.now() + seconds * 1000
      await chaosCase.disturb({ system, goesOn: () => performance.now() < endsAt && !signal.aborted, done })
      await sleep(settleMs)
    } finally {
      exchanges = await load.stop()
    }
    counters = await system.counters()
  } catch (error) {
    problems.push(`the run broke off: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    problems.push(...(await system.stop()))
  }
  const disturbance = {
    actions: done.actions,
    postsInFlight: postsInFlightAt(done.killedAt, exchanges),
    workerConnections: done.workerConnections,
  }
  const counted = tally(exchanges, readExecuted(counterFileOf(directory)))
  return {
    system: system.name,
    case: chaosCase.name,
    tally: counted,
    disturbance,
    retried: counters?.retried,
    parked: counters?.parked,
    broken: brokenPromises(chaosCase, counted, disturbance),
    problems,
  }
}
