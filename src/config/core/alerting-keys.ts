/** The keys of alerting. */
import { notifierKeys } from './notifier-keys.ts'
import { ruleKeys } from './rule-keys.ts'
import { object } from './schema.ts'

export const alerting = object({ ...ruleKeys, ...notifierKeys })
