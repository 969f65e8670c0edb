/**
 * What the controller asks of a technology that runs instances, and what it hears back. Child processes are the first;
 * containers and pods answer the same calls.
 */
import type { HealthProbeConfig, OriginConfig, ProcessSource, StopSignal } from '../../config/types.ts'
import type { Duration, WallTime } from '../../kernel/time.ts'
import type { ProcessIdentity, ResourceReading } from '../../registry/types.ts'
import type { ProcessExit } from '../core/exit.ts'
import type { SpawnFailure } from '../core/instance-machine.ts'

export interface LaunchOrder {
  readonly id: string
  readonly service: string
  readonly source: ProcessSource
}

/** What must be known of an instance to take it over from a control process that died. */
export interface RunningInstance {
  readonly id: string
  readonly service: string
  readonly process: ProcessIdentity
  readonly port: number
  /** Spawned through /bin/sh. */
  readonly shell: boolean
  readonly startedAt: WallTime
}

/** A process that carries the mark of this data directory. */
export interface MarkedProcess {
  readonly instance: RunningInstance
  /** It leads its process group, as whatever we spawn does. */
  readonly leader: boolean
}

export type RuntimeEvent =
  | { readonly type: 'spawned'; readonly id: string; readonly instance: RunningInstance }
  | { readonly type: 'spawnFailed'; readonly id: string; readonly failure: SpawnFailure }
  | { readonly type: 'probePassed'; readonly id: string; readonly host: string }
  | { readonly type: 'diagnosed'; readonly id: string; readonly reason: string }
  /** `examine` gathers the evidence: it comes after the routing has been told, for it takes time. */
  | {
      readonly type: 'exited'
      readonly id: string
      /** `exit signal=SIGKILL`, and `…, children left` while others of its process group live: for the data plane and its answers. */
      readonly how: string
      readonly examine: () => ProcessExit
    }
  | { readonly type: 'groupGone'; readonly id: string }
  /** The readings of all that live were taken. */
  | { readonly type: 'read' }

export interface Runtime {
  /** Called for everything that happens from `start` on; set once, before. */
  onEvent: (event: RuntimeEvent) => void
  start(): void
  /** Forgets every instance and leaves it running. */
  stop(): void
  /** Starts it now; `spawned` follows before this returns wherever that is possible. Never throws. */
  launch(order: LaunchOrder): void
  /** Watches an instance that runs already; false: it does not, or its pid belongs to somebody else now. */
  adopt(instance: RunningInstance): boolean
  /** Every process that carries the mark of this data directory. */
  marked(): Promise<readonly MarkedProcess[]>
  /** Asks again and again whether it is ready, until it is, or it ends or is told to. */
  probe(id: string, health: HealthProbeConfig | undefined, origin: OriginConfig | undefined): void
  /** Finds out what an instance does that did not become ready after `waited`. */
  diagnose(id: string, waited: Duration): void
  /** To the whole process group. */
  signal(id: string, signal: StopSignal): void
  kill(id: string): void
  /** Tells when the last of its process group has ended. */
  awaitGroup(id: string): void
  /** Forgets the instance and kills what still carries its mark, wherever it has gone. */
  reap(id: string): void
  /** Resolves when all that was to be reaped is gone. */
  reaped(): Promise<void>
  /** Looks at once whether it lives. */
  check(id: string): void
  /** The latest reading of its whole process group; undefined before the first and where there is none. */
  reading(id: string): ResourceReading | undefined
  /** Its last lines of stderr, oldest first. */
  stderrTail(id: string, lines: number): readonly string[]
}
