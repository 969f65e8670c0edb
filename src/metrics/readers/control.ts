/** The control process itself: how long its event loop kept others waiting, what collecting garbage took, processor and memory. */
import { monitorEventLoopDelay, PerformanceObserver, type IntervalHistogram } from 'node:perf_hooks'
import type { Labels } from '../../kernel/labels.ts'
import type { Sample, SampleSource } from '../types.ts'

/** The loop is looked at this often; what comes later than that is lag. */
const resolutionMs = 20
const noLabels: Labels = {}

export class ControlReader implements SampleSource {
  readonly #now: () => number
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs })
  readonly #collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) this.#collectedMs += duration
  })
  #collectedMs = 0
  #cpu = process.cpuUsage()
  #at: number

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now
    this.#at = now()
  }

  start(): void {
    this.#delays.enable()
    this.#collections.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#delays.disable()
    this.#collections.disconnect()
  }

  samples(): readonly Sample[] {
    const now = this.#now()
    const cpu = process.cpuUsage()
    const usedMs = (cpu.user - this.#cpu.user + cpu.system - this.#cpu.system) / 1_000
    const elapsedMs = now - this.#at
    const lag = this.#delays.count === 0 ? 0 : Math.max(0, this.#delays.percentile(99) / 1e6 - resolutionMs)
    const collected = this.#collectedMs
    this.#delays.reset()
    this.#cpu = cpu
    this.#at = now
    this.#collectedMs = 0
    const sample = (metric: string, value: number): Sample => ({ metric, labels: noLabels, value })
    return [
      sample('control_lag', tenth(lag)),
      sample('control_memory', process.memoryUsage.rss()),
      sample('control_cpu', elapsedMs > 0 ? tenth((100 * usedMs) / elapsedMs) : 0),
      sample('control_gc', tenth(collected)),
    ]
  }
}

const tenth = (value: number): number => Math.round(value * 10) / 10
