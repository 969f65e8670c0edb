/** The configuration of the infrastructure service's library. What a face does not use yet it takes and leaves alone. */

export interface InfrastructureConfig {
  readonly cluster?: ClusterOptions
  readonly loadBalancer?: LoadBalancerOptions
  readonly cache?: CacheOptions
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

export interface CacheOptions {
  readonly redis?: { readonly enabled?: boolean; readonly host?: string; readonly port?: number; readonly password?: string; readonly ttl?: number }
  readonly memory?: { readonly enabled?: boolean; readonly maxSize?: number; readonly ttl?: number }
}

export interface AutoScalingOptions {
  readonly enabled?: boolean
  readonly minInstances?: number
  readonly maxInstances?: number
  readonly targetCpuPercent?: number
  readonly targetMemoryPercent?: number
}
