/** The room that keeps instances running. */
export { Supervisor, type ApplyOptions, type ApplyReport, type Settlement, type SupervisorDeps } from './controller.ts'
export type { InstanceLogs } from './output/instance-logs.ts'
export type { LogLine, LogQuery } from './output/types.ts'
export type { RoutedInstance, Router } from './ports.ts'
