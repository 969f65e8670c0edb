/** Whether what lies in the store is what was written there: a damaged entry must not keep the process that supervises everything from starting. */
import type { Alert } from './core/alerts.ts'
import type { GroupRecord } from './core/groups.ts'
import type { Incident } from './core/incidents.ts'
import { matches } from './core/matchers.ts'
import type { SilenceRecord } from './core/silences.ts'
import type { DeadLetter } from './dead-letters.ts'

const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 8.64e15
const isText = (value: unknown): boolean => typeof value === 'string'
const areTexts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText)
const isListOf = (value: unknown, isOne: (each: unknown) => boolean): boolean => Array.isArray(value) && value.every(isOne)

export const isAlertRecord = ({ fingerprint, labels, annotations, startsAt, endsAt, updatedAt }: Alert): boolean =>
  isText(fingerprint) && areTexts(labels) && areTexts(annotations) && [startsAt, endsAt, updatedAt].every(isTime)

export const isGroupRecord = ({ content, alerts, nextFlushAt, steps, log }: GroupRecord): boolean =>
  isText(content) &&
  isListOf(alerts, isText) &&
  isTime(nextFlushAt) &&
  Number.isInteger(steps) &&
  log.every(({ receiver, integration, at, until, firing, resolved }) => {
    const who = isText(receiver) && isText(integration)
    return who && isTime(at) && isTime(until) && isListOf(firing, isText) && isListOf(resolved, isText)
  })

export function isSilenceRecord({ id, matchers, startsAt, endsAt, kept = [] }: SilenceRecord): boolean {
  // Throws for an expression that is none.
  matches(matchers, {})
  return isText(id) && matchers.length > 0 && isTime(startsAt) && isTime(endsAt) && isListOf(kept, isText)
}

export const isIncidentRecord = ({ id, key, openedAt, services, alerts, timeline, updates }: Incident): boolean =>
  [id, key].every(isText) &&
  isTime(openedAt) &&
  isListOf(services, isText) &&
  alerts.every((alert) => isText(alert.fingerprint) && areTexts(alert.labels)) &&
  [...timeline, ...updates].every(({ at, text }) => isTime(at) && isText(text))

export const isLetterRecord = ({ id, at, notification: { receiver, alerts, groupLabels } }: DeadLetter): boolean =>
  isText(id) && isTime(at) && isText(receiver) && areTexts(groupLabels) && alerts.every(isAlertRecord)
