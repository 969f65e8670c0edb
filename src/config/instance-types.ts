/** What a service consists of: processes of this node or addresses run by others, how they are started, stopped, probed. */
import type { Duration } from '../kernel/time.ts'

export type ServiceSource = ProcessSource | StaticSource

/** Child processes of this node. */
export interface ProcessSource {
  readonly kind: 'process'
  readonly command: string
  /** Absolute path. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** `auto`: a free port per instance, handed over as $PORT; a number only with a single instance. */
  readonly port: 'auto' | number
  /** undefined: as whoever runs Holdfast. */
  readonly user?: UserConfig | undefined
}

/** Who runs a program: names or numbers. */
export interface UserConfig {
  readonly name: string
  /** undefined: the user's own. */
  readonly group: string | undefined
}

/** Addresses run by somebody else. */
export interface StaticSource {
  readonly kind: 'static'
  readonly endpoints: readonly StaticEndpoint[]
}

export interface StaticEndpoint {
  readonly host: string
  readonly port: number
  readonly weight: number
  /** undefined: that of the service. */
  readonly version?: string | undefined
}

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGKILL'

export interface RestartConfig {
  /** `always`: whenever it exits unordered; `on-failure`: not after exit code 0; `never`. */
  readonly policy: 'always' | 'on-failure' | 'never'
  readonly backoff: { readonly initial: Duration; readonly max: Duration }
}

export interface ResourcesConfig {
  /** Bytes that an instance with all it has started may hold; over it, it is replaced. */
  readonly memory: number
}

export interface HealthProbeConfig {
  /** Asked for with GET; undefined: the health protocol of gRPC is spoken. */
  readonly path: string | undefined
  /** The service that is asked for by the health protocol of gRPC; empty: the server as a whole; undefined: `path` is asked for. */
  readonly grpc?: string | undefined
  readonly interval: Duration
  readonly timeout: Duration
  /** Failures in a row until unhealthy. */
  readonly fall: number
  /** Passes in a row until healthy again. */
  readonly rise: number
  /** Its endpoints may say in their answers what they ask for themselves. */
  readonly agent?: boolean | undefined
  readonly expect: { readonly statusMin: number; readonly statusMax: number; readonly body: string | undefined }
}
