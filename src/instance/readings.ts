/** How this process does: how long its event loop keeps others waiting, how busy it is, how full its heap is. */
import { monitorEventLoopDelay, type EventLoopUtilization, type IntervalHistogram } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { eventLoopUtilization } from '../kernel/system.ts'

/** The loop is looked at this often; what comes later than that is lag. */
const resolutionMs = 20

export interface Readings {
  readonly lagMs: number
  readonly utilization: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
}

export class OwnReadings {
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs })
  #utilization: EventLoopUtilization = eventLoopUtilization()

  start(): void {
    this.#delays.enable()
  }

  stop(): void {
    this.#delays.disable()
  }

  /** Since the last call. */
  take(): Readings {
    const lagMs = this.#delays.count === 0 ? 0 : Math.max(0, this.#delays.percentile(99) / 1e6 - resolutionMs)
    this.#delays.reset()
    const total = eventLoopUtilization()
    const { utilization } = eventLoopUtilization(total, this.#utilization)
    this.#utilization = total
    const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics()
    return { lagMs: Math.round(lagMs * 10) / 10, utilization: Math.round(utilization * 1_000) / 1_000, heapUsedBytes, heapLimitBytes }
  }
}
