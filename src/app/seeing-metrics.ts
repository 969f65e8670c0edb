/** Sampler and history, joined to the parts that they read: once a second everything is measured, kept, and handed to whoever listens. */
import { join } from 'node:path'
import type { ProxyTelemetry } from '../balancer/port.ts'
import { messageOf } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'
import { ControlReader, History, HistoryFile, MachineReader, Sampler, ServiceReader, TrafficReader, Uptime } from '../metrics/index.ts'
import type { MachineReadings } from '../metrics/index.ts'
import type { Reading, Sample, SampleSource, SeriesReader } from '../metrics/types.ts'
import type { ServiceStatus } from '../registry/types.ts'
import type { MetricsOperations } from './metrics-operations.ts'
import { MetricsQueries } from './metrics-queries.ts'

export interface SeeingMetricsDeps {
  readonly clock: Clock
  readonly events: EventSink
  /** The data directory. */
  readonly directory: string
  readonly services: () => readonly ServiceStatus[]
  readonly telemetry: () => ProxyTelemetry | undefined
  readonly proxyConnected: () => boolean
  readonly onError: (error: unknown) => void
}

export class SeeingMetrics {
  readonly #history: History
  readonly #sampler: Sampler
  readonly #control: ControlReader
  readonly #machine: MachineReader
  readonly operations: MetricsOperations
  /** What services served and failed, by days. */
  readonly uptime: Uptime

  constructor({ clock, events, directory, services, telemetry, proxyConnected, onError }: SeeingMetricsDeps) {
    this.#sampler = new Sampler({ clock, onError })
    this.#history = new History({
      file: new HistoryFile({
        path: join(directory, 'history.db'),
        onSetAside: (file, reason) => {
          events.emit('store.setAside', {
            message: `the history was damaged and has been set aside as ${file}: ${reason}`,
            level: 'error',
            data: { file, reason },
          })
        },
      }),
      onProblem: (error) => {
        events.emit('metrics.notKept', {
          message: `the history cannot be kept on the disk: ${messageOf(error)}`,
          level: 'error',
          data: { reason: messageOf(error) },
        })
      },
      onDamaged: (error) => {
        events.emit('metrics.damaged', {
          message: `parts of the history on the disk are damaged and are left out: ${messageOf(error)}`,
          level: 'error',
          data: { reason: messageOf(error) },
        })
      },
      onRefused: (metric, labels, why) => {
        events.emit('metrics.refused', {
          message: `no room in the history for another series of ${metric}: ${reasons[why]}`,
          level: 'warning',
          data: { metric, labels, reason: why },
        })
      },
    })
    this.operations = new MetricsQueries(this.#history, (service, days) => this.uptime.days(service, days))
    this.#machine = new MachineReader({ directory, now: () => clock.now() })
    this.#control = new ControlReader(() => clock.now())
    let asked = clock.now()
    const secondsSince = (): number => {
      const before = asked
      asked = clock.now()
      return (asked - before) / 1_000
    }
    const connected = (): Sample[] => [{ metric: 'proxy_connected', labels: {}, value: proxyConnected() ? 1 : 0 }]
    // Worked out once for a reading.
    let stands: readonly ServiceStatus[] = []
    this.register(new ServiceReader(() => (stands = services()), secondsSince))
    const traffic = new TrafficReader({ telemetry, wallTime: () => clock.wallTime(), count: (totals) => this.uptime.count(totals, clock.wallTime()) })
    this.register(traffic)
    this.register({ samples: connected })
    this.register(this.#machine)
    this.register(this.#control)
    this.uptime = new Uptime(this.#history, () => clock.wallTime())
    this.#sampler.onReading((reading) => {
      this.uptime.tick(reading.at, stands, traffic.known)
      this.#history.add(reading)
    })
  }

  /** What rules, the API and the dashboard read. */
  get series(): SeriesReader {
    return this.#history
  }

  /** Of the machine and the history, for Prometheus. */
  machine(): MachineReadings {
    return { machine: this.#machine.latest, historySeries: this.#history.seriesCount, historyBytes: this.#history.file?.size() }
  }

  /** Its samples are part of every reading. */
  register(source: SampleSource): Disposable {
    return this.#sampler.register(source)
  }

  /** Called when a reading has been kept, once a second. */
  onReading(listener: (reading: Reading) => void): Disposable {
    return this.#sampler.onReading(listener)
  }

  async start(): Promise<void> {
    await this.#history.start()
    this.uptime.restore()
    this.#control.start()
    this.#sampler.start()
  }

  stop(): void {
    this.#sampler.stop()
    this.#control.stop()
    this.#history.stop()
  }
}

const reasons = {
  series: 'there are as many series as there may be',
  seriesPerMetric: 'it has as many as one metric may have',
  labels: 'it has too many labels, or too long ones',
} as const
