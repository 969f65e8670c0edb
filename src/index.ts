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
