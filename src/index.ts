/** What programs may import from `holdfast`. Importing starts nothing. */
export { HoldfastError } from './kernel/errors.ts'
export type { AnyEvent, EventData, EventLevel, EventOf, EventType } from './kernel/events.ts'
export {
  diffConfig,
  explainConfig,
  loadConfig,
  parseConfig,
  problemsOf,
  type Config,
  type ConfigDifference,
  type LoadedConfig,
  type Problem,
} from './config/index.ts'
export type { EndpointStatus, InstanceStatus, ServiceStatus } from './registry/types.ts'
export { createHoldfast, type CreateOptions, type Holdfast, type HoldfastInput, type StopOptions } from './library/holdfast.ts'
export type { ConfigInput } from './library/config-input.ts'
export {
  InfrastructureService,
  type HealthChange,
  type InfrastructureAlert,
  type InfrastructureHealth,
  type ScalingEvent,
  type ServiceHealth,
} from './library/infrastructure-service.ts'
export { LoadBalancerService, type LoadBalancerServer, type LoadBalancerServiceStats } from './library/load-balancer-service.ts'
export { CacheService, type CacheServiceStats } from './library/cache-service.ts'
export type { CacheServiceOptions, InfrastructureConfig, LoadBalancerOptions, HealthCheckOptions } from './library/infrastructure-config.ts'
export { getFaultToleranceSystem, type CircuitBreakerConfig, type FaultToleranceSystem } from './resilience/index.ts'
export {
  getHealthMonitoringSystem,
  HealthMonitor,
  HealthMonitoringSystem,
  type CheckFunction,
  type CustomCheck,
  type HealthAlert,
  type HealthAlertRule,
  type HealthCheckConfig,
  type HealthDashboard,
  type HealthMonitorOptions,
  type HealthTrend,
  type MachineAlert,
  type MachineHealth,
} from './health/index.ts'
