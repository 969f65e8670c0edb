/**
 * Hears what instances tell of themselves (`holdfast/instance`), on a Unix socket in the data directory. The primary listens, not the
 * control process: instances and balancer go on without that one, and so do the reports. A new primary opens the socket anew, and the instances come to it.
 */
import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { reportBytesMax, type InstanceReport } from '../../instance/types.ts'
import { messageOf } from '../../kernel/errors.ts'
import { writeAsked, type AskedState } from '../../instance/core/asked-state.ts'
import { Reporting, ReportedInstance, worthTelling } from '../core/reported.ts'

/** Instances of one machine, with several processes each. */
const connectionsMax = 4_096
/** How often silence is looked for. */
const lookMs = 250

export interface InstanceReportsOptions {
  readonly path: string
  /** Its share of the requests changes. */
  readonly onLag: (endpoint: string) => void
  /** It said that it is ready, or is not. */
  readonly onReadiness: (endpoint: string) => void
  /** It asks for something else than before. */
  readonly onAsked?: ((endpoint: string) => void) | undefined
}

export class InstanceReports {
  readonly #options: InstanceReportsOptions
  readonly #instances = new Map<string, ReportedInstance>()
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Map<Reporting, Socket>()
  #server: Server | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: InstanceReportsOptions) {
    this.#options = options
  }

  /** Never fails: without reports the balancer knows less, and works. Resolves when it listens. */
  async open(): Promise<void> {
    const { path } = this.#options
    rmSync(path, { force: true })
    const server = createServer((socket) => {
      this.#accept(socket)
    })
    await new Promise<void>((resolve) => {
      server.on('error', (error) => {
        process.stderr.write(`instances cannot report at ${path}: ${messageOf(error)}\n`)
        resolve()
      })
      const mask = process.umask(0o177)
      server.listen(path, resolve)
      process.umask(mask)
    })
    this.#server = server
    this.#timer = setInterval(() => {
      // Reports that have come already are read first: if it was this process that stood still, nobody else was silent.
      setImmediate(() => {
        this.#look()
      })
    }, lookMs)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#server?.close()
    for (const socket of this.#sockets) socket.destroy()
    rmSync(this.#options.path, { force: true })
  }

  /** Endpoints that say that they are not ready. */
  get unready(): string[] {
    return [...this.#instances].filter(([, { ready }]) => !ready).map(([id]) => id)
  }

  isReady(endpoint: string): boolean {
    return this.#instances.get(endpoint)?.ready ?? true
  }

  reasonOf(endpoint: string): string | undefined {
    return this.#instances.get(endpoint)?.reason
  }

  /** undefined: it reports nothing. */
  askedOf(endpoint: string): AskedState | undefined {
    return this.#instances.get(endpoint)?.asked
  }

  latestOf(endpoint: string): InstanceReport | undefined {
    return this.#instances.get(endpoint)?.latest
  }

  /** As it was last worth telling. */
  lagOf(endpoint: string): number {
    return this.#instances.get(endpoint)?.toldLagMs ?? 0
  }

  /** Part of the heap it may have that it uses. */
  heapShareOf(endpoint: string): number {
    const latest = this.latestOf(endpoint)
    return latest === undefined || latest.heapLimitBytes === 0 ? 0 : latest.heapUsedBytes / latest.heapLimitBytes
  }

  /** Says something to its busiest process. Returns false when none of them reports. */
  instruct(endpoint: string, line: string): boolean {
    const processes = [...(this.#instances.get(endpoint)?.processes ?? [])]
    const [busiest] = processes.sort((a, b) => b.latest.utilization - a.latest.utilization)
    const socket = busiest && this.#connections.get(busiest)
    socket?.write(`${line}\n`)
    return socket !== undefined
  }

  #accept(socket: Socket): void {
    socket.on('error', () => undefined)
    if (this.#sockets.size >= connectionsMax) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    let reporting: Reporting | undefined
    let id: string | undefined
    let rest = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const report = readReport(line)
        // A connection speaks for one instance, in lines that can be read; anything else is none of ours.
        if (!report || (id !== undefined && report.instance !== id)) {
          socket.destroy()
          return
        }
        const now = performance.now()
        id = report.instance
        if (reporting) reporting.hear(report, now)
        else {
          reporting = new Reporting(report, now)
          this.#connections.set(reporting, socket)
          this.#join(id, reporting)
        }
        this.#tell(id, now)
      }
      if (rest.length > reportBytesMax) socket.destroy()
    })
    socket.on('close', () => {
      this.#sockets.delete(socket)
      if (id === undefined || !reporting) return
      this.#connections.delete(reporting)
      this.#leave(id, reporting)
    })
  }

  #join(id: string, reporting: Reporting): void {
    const instance = this.#instances.get(id) ?? new ReportedInstance()
    instance.processes.add(reporting)
    this.#instances.set(id, instance)
  }

  #leave(id: string, reporting: Reporting): void {
    const instance = this.#instances.get(id)
    instance?.processes.delete(reporting)
    this.#tell(id, performance.now())
    if (instance?.processes.size === 0) this.#instances.delete(id)
  }

  #look(): void {
    const now = performance.now()
    for (const id of this.#instances.keys()) this.#tell(id, now)
  }

  #tell(id: string, now: number): void {
    const instance = this.#instances.get(id)
    if (!instance) return
    const lagMs = instance.lagAt(now)
    if (worthTelling(instance.toldLagMs, lagMs)) {
      instance.toldLagMs = lagMs
      this.#options.onLag(id)
    }
    const asked = writeAsked(instance.asked)
    if (asked !== instance.toldAsked) {
      instance.toldAsked = asked
      this.#options.onAsked?.(id)
    }
    if (instance.ready !== instance.toldReady) {
      instance.toldReady = instance.ready
      this.#options.onReadiness(id)
    }
  }
}

const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** undefined: no report. */
export function readReport(line: string): InstanceReport | undefined {
  if (line.length > reportBytesMax) return undefined
  let read: Partial<Record<keyof InstanceReport, unknown>> | null
  try {
    read = JSON.parse(Buffer.from(line, 'latin1').toString()) as typeof read
  } catch {
    return undefined
  }
  if (read === null || typeof read !== 'object') return undefined
  const { instance, lagMs, utilization, heapUsedBytes, heapLimitBytes, ready, reason, state } = read
  if (typeof instance !== 'string' || instance === '' || typeof ready !== 'boolean') return undefined
  if (!isAmount(lagMs) || !isAmount(utilization) || !isAmount(heapUsedBytes) || !isAmount(heapLimitBytes)) return undefined
  return {
    instance,
    lagMs,
    utilization,
    heapUsedBytes,
    heapLimitBytes,
    ready,
    ...(typeof reason === 'string' && { reason }),
    ...(typeof state === 'string' && { state }),
  }
}
