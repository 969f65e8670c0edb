/**
 * What an instance says of its own event loop, as a share of the requests it should get. Load moves away before anything times out:
 * an instance whose loop is blocked 300 ms at a time gets a sixth of what its siblings get.
 *
 *   report ──▶ lag, smoothed over about three reports ──▶ 50 ms and less: all of it; above: 50 / lag; at least a twentieth
 *
 * One that reports and then falls silent is taken to be blocked since then: what blocks a loop for good also blocks its reports. Who never
 * reported, or has closed the connection, says nothing, and nothing follows. Siblings that all lag keep equal shares.
 *
 * Estimator: mutable and small, time is an argument.
 */
import { asksNothing, readAsked, together, writeAsked, type AskedState } from '../../instance/core/asked-state.ts'
import { reportIntervalMs, type InstanceReport } from '../../instance/types.ts'

/** A lag that nobody notices: garbage collection and one larger request. */
const harmlessLagMs = 50
/** So that an instance that is well again shows it by its answers too. */
const shareMin = 0.05
/** The say of a new report. */
const smoothing = 0.5
/** Reports may come so much later than they should: the machine is busy as well. */
const patienceMs = 2 * reportIntervalMs

/** The part of its weight that an instance with this lag keeps: 0.05 to 1. */
export function lagShare(lagMs: number): number {
  return lagMs <= harmlessLagMs ? 1 : Math.max(shareMin, harmlessLagMs / lagMs)
}

/** One process that reports. */
export class Reporting {
  latest: InstanceReport
  #lagMs: number
  #heardAt: number

  constructor(first: InstanceReport, now: number) {
    this.latest = first
    this.#lagMs = first.lagMs * smoothing
    this.#heardAt = now
  }

  hear(report: InstanceReport, now: number): void {
    // How long it was silent is part of its lag, also where its own clock stood still meanwhile.
    this.#lagMs = this.lagAt(now) * (1 - smoothing) + report.lagMs * smoothing
    this.#heardAt = now
    this.latest = report
  }

  lagAt(now: number): number {
    const silentMs = now - this.#heardAt - reportIntervalMs
    return silentMs <= patienceMs ? this.#lagMs : Math.max(this.#lagMs, silentMs)
  }
}

/** An instance may be several processes (`node:cluster`), which share its requests: the mean of their lags, and ready when one is. */
export class ReportedInstance {
  readonly processes = new Set<Reporting>()
  /** As the workers were last told. */
  toldLagMs = 0
  toldReady = true
  toldAsked = writeAsked(asksNothing)

  lagAt(now: number): number {
    let sum = 0
    for (const reporting of this.processes) sum += reporting.lagAt(now)
    return this.processes.size === 0 ? 0 : sum / this.processes.size
  }

  get ready(): boolean {
    return this.processes.size === 0 || [...this.processes].some(({ latest }) => latest.ready)
  }

  get asked(): AskedState {
    return together([...this.processes].map(({ latest }) => readAsked(latest.state ?? '', asksNothing) ?? asksNothing))
  }

  get reason(): string | undefined {
    for (const { latest } of this.processes)
      if (!latest.ready) return `the instance says that it is not ready${latest.reason === undefined ? '' : `: ${latest.reason}`}`
    return undefined
  }

  get latest(): InstanceReport | undefined {
    return [...this.processes].at(-1)?.latest
  }
}

/** Shares that differ less are not worth a message to every worker. */
const shareStep = 0.05

/** Whether workers that were told `told` should hear `lagMs`. */
export function worthTelling(told: number, lagMs: number): boolean {
  const before = lagShare(told)
  const after = lagShare(lagMs)
  return before !== after && (after === 1 || before === 1 || Math.abs(before - after) >= shareStep)
}
