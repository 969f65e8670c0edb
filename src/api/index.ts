/** The REST API: a face over `Operations`. */
export { buildApi } from './app.ts'
export { apiBase, apiLimits, type ApiDeps } from './deps.ts'
export { MetricsServer, type MetricsServerDeps } from './metrics-server.ts'
export { ApiServer } from './server.ts'
export { MachineReader } from './machine-reader.ts'
export { healthOf, type Health } from './resources/health.ts'
