/** The configuration of the infrastructure service's library. What a face does not use yet it takes and leaves alone. */

export interface InfrastructureConfig {
  readonly cluster?: ClusterOptions
  readonly loadBalancer?: LoadBalancerOptions
  readonly cache?: CacheServiceOptions
  readonly scaling?: { readonly autoScaling?: AutoScalingOptions }
}

/** Milliseconds throughout. */
export interface ClusterOptions {
  readonly enabled?: boolean
  readonly workerCount?: number
  readonly maxRestarts?: number
  readonly restartDelay?: number
  readonly gracefulShutdownTimeout?: number
  readonly healthCheckInterval?: number
  readonly autoRestart?: boolean
}

export interface LoadBalancerOptions {
  /** `weighted` is `weighted-round-robin`. @default 'round-robin' */
  readonly algorithm?: LoadBalancerAlgorithm
  readonly healthCheck?: HealthCheckOptions
  /** Listeners terminate TLS, not this. */
  readonly ssl?: { readonly enabled?: boolean; readonly protocols?: readonly string[] }
}

export type LoadBalancerAlgorithm =
  'round-robin' | 'weighted' | 'weighted-round-robin' | 'least-connections' | 'ip-hash' | 'consistent-hash' | 'random' | 'p2c-ewma'

/** Probes begin with `start`. */
export interface HealthCheckOptions {
  readonly enabled?: boolean
  /** @default 10000 */
  readonly interval?: number
  /** @default 5000 */
  readonly timeout?: number
  /** @default '/health' */
  readonly path?: string
  /** Failures in a row after which it is unhealthy. @default 3 */
  readonly unhealthyThreshold?: number
  /** Passes in a row after which it is healthy again. @default 2 */
  readonly healthyThreshold?: number
}

/** Times in seconds. */
export interface CacheServiceOptions {
  /** Where processes share values; needs the package `redis`. Left out, or `enabled: false`: in memory alone. */
  readonly redis?: {
    /** @default true */
    readonly enabled?: boolean
    /** @default 'localhost' */
    readonly host?: string
    /** @default 6379 */
    readonly port?: number
    readonly username?: string
    readonly password?: string
    /** In place of host, port and credentials: `redis://user:password@host:port/database`, `rediss://` for TLS. */
    readonly url?: string
    /** Of values that are set without one. @default that of `memory` */
    readonly ttl?: number
    /** Of all keys. @default 'holdfast:cache:' */
    readonly prefix?: string
  }
  readonly memory?: {
    /** false: next to nothing is kept here; without Redis an error. @default true */
    readonly enabled?: boolean
    /** Values; the least recently used go first. @default 10000 */
    readonly maxSize?: number
    /** Of values that are set without one. @default 3600 */
    readonly ttl?: number
  }
}

export interface AutoScalingOptions {
  readonly enabled?: boolean
  readonly minInstances?: number
  readonly maxInstances?: number
  readonly targetCpuPercent?: number
  readonly targetMemoryPercent?: number
}
