/** The health room: checks, and what is believed of what they look at. */
export { Checks, type ChecksDeps } from './checks.ts'
export { definitionOf } from './definitions.ts'
export type { Beat } from './heartbeats.ts'
export { MachineView } from './machine/machine-view.ts'
export { tcpProbe } from './probes/tcp.ts'
export type * from './ports.ts'
export type * from './types.ts'
