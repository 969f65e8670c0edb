/** The room of alerts: who says that something is wrong, and who is told. */
export type { DeadLetter } from './dead-letters.ts'
export { Incidents } from './incidents.ts'
export { Notifier, type NotifierListener } from './notifier.ts'
export { RuleManager, type RuleStatus } from './rule-manager.ts'
export type * from './types.ts'
