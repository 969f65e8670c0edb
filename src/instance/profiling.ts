/**
 * Records what this process does when Holdfast asks for it. Nothing is loaded before the first order. One at a time; a recording ends by its time, and with the
 * connection on which it is to be given back.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ms, sleep, type Clock } from '../kernel/time.ts'
import { profileKinds, profileMsMax, type ProfileAnswer, type ProfileOrder } from '../profiling/types.ts'

/** Between two looks of the profiler at the stack; that of V8's own default. */
const samplingUs = 1_000
/** Collections told of one recording. */
const collectionsMax = 10_000

export class Profiling {
  readonly #clock: Clock
  #busy = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A line that is no order is none of ours. Never throws: the host must not suffer. */
  async take(line: string): Promise<void> {
    const order = readOrder(line)
    if (order === undefined) return
    const socket = connect(order.socket)
    // Nothing here keeps the host alive.
    socket.unref()
    const gone = new AbortController()
    socket.on('error', () => {
      gone.abort()
    })
    socket.on('close', () => {
      gone.abort()
    })
    try {
      await once(socket, 'connect', { signal: gone.signal })
      await this.#carryOut(order, socket, gone.signal)
    } catch {
      // Whoever asked has gone: there is nobody left to be told.
      socket.destroy()
    }
  }

  async #carryOut(order: ProfileOrder, socket: Socket, gone: AbortSignal): Promise<void> {
    const refused = this.#busy ? 'it is being profiled already' : undefined
    const answer: ProfileAnswer = { id: order.id, pid: process.pid, ...(refused !== undefined && { refused }) }
    socket.write(`${JSON.stringify(answer)}\n`)
    if (refused !== undefined) {
      socket.end()
      return
    }
    this.#busy = true
    try {
      const recording = await this.#record(order, gone)
      if (typeof recording === 'string') socket.end(recording)
      else await pipeline(recording, socket)
    } finally {
      this.#busy = false
    }
  }

  #record({ profile, durationMs }: ProfileOrder, gone: AbortSignal): Promise<string | Readable> {
    switch (profile) {
      case 'cpu':
        return this.#recordCpu(durationMs, gone)
      case 'gc':
        return this.#recordCollections(durationMs, gone)
      case 'heap':
        return snapshotHeap()
    }
  }

  async #recordCpu(durationMs: number, gone: AbortSignal): Promise<string> {
    const { Session } = await import('node:inspector/promises')
    const session = new Session()
    session.connect()
    try {
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: samplingUs })
      await session.post('Profiler.start')
      await sleep(this.#clock, ms(durationMs), gone)
      const { profile } = await session.post('Profiler.stop')
      return JSON.stringify(profile)
    } finally {
      session.disconnect()
    }
  }

  async #recordCollections(durationMs: number, gone: AbortSignal): Promise<string> {
    const collections: { at: number; kind: string; durationMs: number }[] = []
    const startedAt = this.#clock.now()
    let omitted = 0
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        const { startTime, duration } = entry
        const { detail } = entry as PerformanceEntry & { readonly detail?: { readonly kind?: number } }
        const kind = kinds[detail?.kind ?? 0] ?? 'other'
        if (collections.length < collectionsMax) collections.push({ at: round(startTime - startedAt), kind, durationMs: round(duration) })
        else omitted++
      }
    })
    const delays = monitorEventLoopDelay({ resolution: 1 })
    observer.observe({ entryTypes: ['gc'] })
    delays.enable()
    try {
      await sleep(this.#clock, ms(durationMs), gone)
      // Observers are told a turn later.
      await sleep(this.#clock, ms(10), gone)
    } finally {
      observer.disconnect()
      delays.disable()
    }
    const lagMs = Object.fromEntries([50, 90, 99, 99.9, 100].map((q) => [`p${q}`, round(delays.percentile(q) / 1e6)]))
    const pausedMs = round(collections.reduce((sum, each) => sum + each.durationMs, 0))
    return JSON.stringify({ pid: process.pid, durationMs, lagMs, pausedMs, collections, omitted, memory: process.memoryUsage() })
  }
}

/** `performance.timerify`'s constants NODE_PERFORMANCE_GC_*. */
const kinds: Readonly<Record<number, string>> = { 1: 'minor', 4: 'major', 8: 'incremental', 16: 'weak callbacks' }

async function snapshotHeap(): Promise<Readable> {
  const { getHeapSnapshot } = await import('node:v8')
  return getHeapSnapshot()
}

function readOrder(line: string): ProfileOrder | undefined {
  let order: Partial<Record<keyof ProfileOrder, unknown>> | null
  try {
    order = JSON.parse(line) as typeof order
  } catch {
    return undefined
  }
  if (order === null || typeof order !== 'object') return undefined
  const { profile, id, durationMs, socket } = order
  const kind = profileKinds.find((each) => each === profile)
  if (kind === undefined || typeof id !== 'string' || typeof socket !== 'string') return undefined
  if (typeof durationMs !== 'number' || !(durationMs >= 0 && durationMs <= profileMsMax)) return undefined
  return { profile: kind, id, durationMs, socket }
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000
