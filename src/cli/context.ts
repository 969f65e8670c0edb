/** What a command is given: how to speak, whom to ask, and the few effects it may have. Tests hand in fakes. */
import type { LeftoverOptions, LeftoverReport, RunOptions } from '../app/progress.ts'
import type { Clock } from '../kernel/time.ts'
import type { Api } from './client.ts'
import type { Output } from './output.ts'

/** The options that every command has. */
export interface GlobalOptions {
  readonly config: string | undefined
  readonly url: string | undefined
  readonly token: string | undefined
}

export interface CommandContext {
  readonly out: Output
  readonly options: GlobalOptions
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
  /** Of holdfast itself: `0.1.0`. */
  readonly version: string
  /** The file that node was started with, to start it once more. */
  readonly programFile: string
  /** Aborts at the first SIGINT or SIGTERM. A command that never asks for it is ended by them, as any program. */
  readonly interrupted: AbortSignal
  /** Finds the control process that the options, the environment or the data directory name. Rejects with `not_running`. */
  connect(): Promise<Api>
  /** Says on stderr, once, which configuration is used when it was found in a directory above. `connect` does so by itself. */
  readonly tellFileAbove: () => void
  /** The parts of the app that `up` and `down` need; loaded when asked for, since most commands do without. */
  loadApp(): Promise<AppEntry>
  readonly signals: Signals
  /** From now on the process goes on when nobody reads any more what it says (a closed terminal, a broken pipe). */
  readonly outliveReaders: () => void
}

export interface AppEntry {
  readonly runControlProcess: (options: RunOptions) => Promise<void>
  /** Adopts and stops what a control process that is gone has left running. */
  readonly stopLeftovers: (options: LeftoverOptions) => Promise<LeftoverReport>
}

/** The signals of this process. */
export interface Signals {
  on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): Disposable
}
