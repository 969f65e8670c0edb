/** The machine and the history, for Prometheus: bytes rather than percents, counts rather than rates, so that it can work them out itself. */
import type { CacheMetric } from './cache-metrics.ts'
import type { Sample } from './histograms.ts'
import type { MachineReading } from './readers/machine.ts'

export interface MachineReadings {
  /** undefined: nothing was read yet. */
  readonly machine: MachineReading | undefined
  /** Series with samples in the last hour. */
  readonly historySeries: number
  /** Bytes of its file; undefined: there is none. */
  readonly historyBytes: number | undefined
}

type Read = (machine: MachineReading) => number | undefined

const ofMachine: readonly (readonly [kind: 'counter' | 'gauge', name: string, help: string, read: Read])[] = [
  ['gauge', 'holdfast_machine_cpu_ratio', 'How busy all cores together were in the last second, 0 to 1.', ({ cpuRatio }) => cpuRatio],
  ['gauge', 'holdfast_machine_cores', 'Cores.', ({ cores }) => cores],
  ['gauge', 'holdfast_machine_load1', 'Load average of a minute.', ({ load }) => load],
  ['gauge', 'holdfast_machine_memory_bytes', 'Memory of the machine.', ({ memory }) => memory?.total],
  ['gauge', 'holdfast_machine_memory_available_bytes', 'Memory that programs can have.', ({ memory }) => memory?.available],
  [
    'gauge',
    'holdfast_machine_disk_bytes',
    'Size of the file system of the data directory, without what is kept back for root.',
    ({ disk }) => disk?.total,
  ],
  ['gauge', 'holdfast_machine_disk_free_bytes', 'Room on it.', ({ disk }) => disk?.free],
  [
    'counter',
    'holdfast_machine_network_received_bytes_total',
    'Received by all interfaces but loopback since the machine started.',
    ({ network }) => network?.received,
  ],
  [
    'counter',
    'holdfast_machine_network_sent_bytes_total',
    'Sent by all interfaces but loopback since the machine started.',
    ({ network }) => network?.sent,
  ],
  ['gauge', 'holdfast_machine_processes', 'Processes.', ({ processes }) => processes],
  ['gauge', 'holdfast_machine_tcp_connections', 'TCP connections that are established.', ({ connections }) => connections],
]

export function machineMetrics(readings: () => MachineReadings | undefined): readonly CacheMetric[] {
  const one = (read: (now: MachineReadings) => number | undefined): (() => readonly Sample[]) => {
    return () => {
      const now = readings()
      const value = now && read(now)
      return value === undefined ? [] : [[{}, value]]
    }
  }
  const machine = ofMachine.map(([kind, name, help, read]) => ({
    kind,
    name,
    help,
    labels: [],
    read: one((now) => now.machine && read(now.machine)),
  }))
  return [
    ...machine,
    {
      kind: 'gauge',
      name: 'holdfast_history_series',
      help: 'Series that the history keeps by the second.',
      labels: [],
      read: one(({ historySeries }) => historySeries),
    },
    {
      kind: 'gauge',
      name: 'holdfast_history_bytes',
      help: 'Size of the history on the disk.',
      labels: [],
      read: one(({ historyBytes }) => historyBytes),
    },
  ]
}
