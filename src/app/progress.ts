/** What `runControlProcess` tells while it works, and what it is told: the seam between the CLI's `up` and the app. */
import type { AnyEvent } from '../kernel/events.ts'

export type UpProgress =
  /** Something began: `opening the store`. */
  | { readonly kind: 'step'; readonly text: string }
  /** A service moved. `text` says where it stands: `starting`, `ready`, `crashLooping: exited with code 1`. */
  | { readonly kind: 'service'; readonly service: string; readonly ready: number; readonly desired: number; readonly text: string }
  /** Anything that happened, of every level, in the order of its number. */
  | { readonly kind: 'event'; readonly event: AnyEvent }
  | Serving
  | { readonly kind: 'warning'; readonly text: string }
  /** The order to stop was taken, or a step of stopping began: `draining shop`. */
  | { readonly kind: 'stopping'; readonly text: string }
  | { readonly kind: 'stopped' }

/** Everything that can take traffic does. */
export interface Serving {
  readonly kind: 'serving'
  /** With a login code that works once (`#login=…`), or without one. */
  readonly dashboardUrl: string
  /** Without a path: `http://127.0.0.1:3006`. */
  readonly apiUrl: string
  readonly listeners: readonly { readonly name: string; readonly url: string }[]
  /** An address that a service answers a GET at; undefined when no service has a route. */
  readonly exampleUrl: string | undefined
  /** How many instances were already running. */
  readonly adopted: number
}

export interface RunOptions {
  /** Absolute path. */
  readonly configFile: string
  readonly env: NodeJS.ProcessEnv
  readonly onProgress: (progress: UpProgress) => void
  /** Aborts at the first SIGINT or SIGTERM: drain, stop everything, resolve. */
  readonly signal: AbortSignal
  /** Aborts at the second one: cut the drain short, but still leave nothing behind. */
  readonly force: AbortSignal
  /** Registers what is to run on SIGHUP: read the configuration again. */
  readonly reload: (handler: () => void) => void
}

export interface LeftoverOptions {
  readonly configFile?: string
  readonly dataDir: string
}

export interface LeftoverReport {
  /** Processes: of the proxy and of instances. */
  readonly stopped: number
  /** What went wrong on the way and was worked around, as sentences. */
  readonly problems: readonly string[]
}
