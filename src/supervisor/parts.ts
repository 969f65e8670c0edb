/** What the supervisor is made of, put together. Only the wiring is here. */
import { cpus } from 'node:os'
import { join } from 'node:path'
import type { HoldfastError } from '../kernel/errors.ts'
import type { EventSink } from '../kernel/events.ts'
import type { Random } from '../kernel/random.ts'
import type { Clock, Duration } from '../kernel/time.ts'
import type { StateStore } from '../store/port.ts'
import { Admission } from './admission.ts'
import { Announcer } from './announcer.ts'
import { Changes } from './changes.ts'
import { Chronicle } from './chronicle.ts'
import { defaultFleetLimits, type FleetLimits } from './core/fleet-state.ts'
import type { MemoryReading } from './core/fleet-types.ts'
import { Fleet } from './core/fleet.ts'
import type { InstanceInput } from './core/instance-machine.ts'
import { restartLimits, type RestartLimits } from './core/restart-policy.ts'
import { Executor } from './executor.ts'
import { InstanceBook } from './instance-book.ts'
import { Journal } from './journal.ts'
import { InstanceLogs } from './output/instance-logs.ts'
import { LogFiles, logLimits, type LogLimits } from './output/log-files.ts'
import type { Router } from './ports.ts'
import { Problems } from './problems.ts'
import { Restarts } from './restarts.ts'
import { ProcessRuntime } from './runtimes/process/process-runtime.ts'
import { systemProcessTable } from './runtimes/process/process-table.ts'
import type { Runtime } from './runtimes/runtime.ts'
import { ServiceBook } from './service-book.ts'
import { Takeover } from './takeover.ts'

export interface SupervisorDeps {
  readonly clock: Clock
  readonly random: Random
  readonly store: StateStore
  readonly events: EventSink
  readonly router: Router
  /** Absolute path of the data directory; marks what belongs to it. */
  readonly directory: string
  /** Where the output of instances goes. @default `<directory>/logs` */
  readonly logDirectory?: string
  /** @default as many as the machine has */
  readonly cores?: number
  /** What instances may inherit from. @default process.env */
  readonly env?: NodeJS.ProcessEnv
  /** Told of what went wrong and was worked around. @default nobody */
  readonly onProblem?: (problem: HoldfastError) => void
  /** For tests. */
  readonly runtime?: Runtime
  readonly limits?: Partial<FleetLimits>
  readonly restartLimits?: Partial<RestartLimits>
  readonly logLimits?: Partial<LogLimits>
}

/** How the parts reach the one who drives them. */
export interface Hooks {
  /** How long requests in flight may take when an instance is stopped. */
  readonly drainTimeout: () => Duration
  /** What the fleet is told of an instance. */
  readonly tell: (id: string, input: InstanceInput) => void
  readonly onMemory: (readings: readonly MemoryReading[]) => void
  readonly onBootTime: (service: string, bootTime: Duration) => void
  readonly onForgotten: (service: string, slots: readonly number[]) => void
}

export type Parts = ReturnType<typeof assemble>

export function assemble(deps: SupervisorDeps, { drainTimeout, tell, onMemory, onBootTime, onForgotten }: Hooks) {
  const { clock, random, store, events, router } = deps
  const problems = new Problems(clock, (problem) => deps.onProblem?.(problem))
  const { files, logs } = assembleOutput(deps, problems)
  const journal = new Journal(clock, store, (cause) => problems.tell('store_unavailable', 'could not write down what the supervisor did', cause))
  const services = new ServiceBook(clock, journal)
  const instances = new InstanceBook(clock, journal)
  const announcer = new Announcer(clock, events, instances)
  const restarts = new Restarts(instances)
  const runtime = deps.runtime ?? processRuntime(deps, files)
  const limits = { ...defaultFleetLimits(deps.cores ?? cpus().length), ...deps.limits }
  const fleet = new Fleet({ limits, restartLimits: { ...restartLimits, ...deps.restartLimits }, random, drainTimeout })
  const admission = new Admission({ clock, router, fleet, instances, services, problems, tell })
  const books = { clock, runtime, instances, services, announcer, logs }
  const { dependencyWait } = limits
  return {
    ...{ journal, services, instances, announcer, restarts, runtime, fleet, admission, logs },
    executor: new Executor({ ...books, fleet, admission, tell, onMemory }),
    chronicle: new Chronicle({ ...books, fleet, restarts, files, dependencyWait, onBootTime, onForgotten }),
    takeover: new Takeover({ ...books, store }),
    changes: new Changes(),
  } as const
}

function assembleOutput({ clock, directory, logDirectory = join(directory, 'logs'), ...deps }: SupervisorDeps, problems: Problems) {
  const limits = { ...logLimits, ...deps.logLimits }
  const onProblem = (cause: unknown): void => problems.tell('log_problem', 'could not keep the output of an instance', cause)
  const files = new LogFiles(logDirectory, limits, onProblem)
  return { files, logs: new InstanceLogs({ clock, files, limits, directory: logDirectory, onProblem }) }
}

function processRuntime({ clock, random, directory, env = process.env }: SupervisorDeps, output: LogFiles): Runtime {
  return new ProcessRuntime({ clock, random, table: systemProcessTable(), output, dataDirectory: directory, env })
}
