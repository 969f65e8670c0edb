/** Checks, and what is believed of what they look at. Programs import it as `holdfast/health`; importing starts nothing. */
export { Checks, type ChecksDeps } from './checks.ts'
export { customDefinition, type CheckFunction, type CustomCheck } from './custom.ts'
export { definitionOf } from './definitions.ts'
export type { Beat } from './heartbeats.ts'
export {
  HealthMonitor,
  type HealthAlertRule,
  type HealthMetric,
  type HealthMonitorOptions,
  type HealthReadings,
  type HealthThreshold,
  type MachineAlert,
  type MachineHealth,
} from './health-monitor.ts'
export {
  getHealthMonitoringSystem,
  HealthMonitoringSystem,
  type HealthAlert,
  type HealthCheckConfig,
  type HealthDashboard,
  type HealthMonitoringEvents,
  type HealthTrend,
} from './health-monitoring.ts'
export { MachineView } from './machine/machine-view.ts'
export { runCommand } from './probes/command.ts'
export { tcpProbe } from './probes/tcp.ts'
export { ServiceChecks } from './service-checks.ts'
export type { RecentTraffic } from './core/traffic-veto.ts'
export type * from './ports.ts'
export type * from './types.ts'
