/**
 * What was changed by somebody shortly before an alert: most outages begin with a change. And while a new revision is being taken up, what that brings along by itself is
 * nothing to tell, of that service and for that time only.
 */
import type { AnyEvent } from '../../../kernel/events.ts'
import type { Labels } from '../../../kernel/labels.ts'
import { shownTime } from './words.ts'

/** A change longer ago is not blamed. */
export const blameMs = 15 * 60_000
/** So long a new revision is being taken up. */
export const deployMs = 2 * 60_000
/** Changes that are remembered. */
export const changesMax = 200

interface Change {
  readonly at: number
  readonly id: string
  /** undefined: of the configuration as a whole. */
  readonly service: string | undefined
  readonly text: string
  readonly deploy: boolean
}

export class ChangeLog {
  readonly #changes: Change[] = []

  note(event: AnyEvent): void {
    const change = changeOf(event)
    if (change === undefined) return
    this.#changes.push({ ...change, at: event.time, id: event.id, service: event.service })
    if (this.#changes.length > changesMax) this.#changes.shift()
  }

  /** The last one before it: of its service, or else of the configuration. */
  before({ service }: Labels, at: number): { readonly text: string; readonly event: string } | undefined {
    const recent = this.#changes.filter((change) => change.at <= at && at - change.at <= blameMs)
    const found =
      (service === undefined ? undefined : recent.findLast((change) => change.service === service)) ??
      recent.findLast((change) => change.service === undefined)
    return found && { text: `${found.text}, ${shownTime(at - found.at)} before`, event: found.id }
  }

  deploying(service: string, now: number): boolean {
    return this.#changes.some((change) => change.deploy && change.service === service && now >= change.at && now - change.at < deployMs)
  }
}

function changeOf(event: AnyEvent): Pick<Change, 'text' | 'deploy'> | undefined {
  const service = event.service ?? ''
  switch (event.type) {
    case 'service.changed':
      return { text: `revision ${event.data.revision} of ${service}`, deploy: true }
    case 'service.restarted':
      return { text: `a restart of ${service} by ${event.data.actor}`, deploy: true }
    case 'service.scaled':
      return { text: `${service} scaled from ${event.data.from} to ${event.data.to}`, deploy: event.data.to < event.data.from }
    case 'service.splitChanged':
      return { text: `the split of ${service} changed by ${event.data.actor}`, deploy: false }
    case 'service.maintenanceChanged':
      return { text: `maintenance of ${service} switched ${event.data.enabled ? 'on' : 'off'} by ${event.data.actor}`, deploy: false }
    case 'config.applied':
      return {
        text: `the configuration changed (${event.data.changes.slice(0, 3).join(', ')}${event.data.changes.length > 3 ? ', …' : ''})`,
        deploy: false,
      }
    default:
      return undefined
  }
}
