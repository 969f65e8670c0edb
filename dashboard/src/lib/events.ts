/** An event as the API shows it. */
import type { EventLevel } from '../../../src/kernel/events.ts'

export interface ApiEvent {
  readonly id: string
  readonly seq: number
  readonly type: string
  readonly category: string
  readonly level: EventLevel
  readonly message: string
  readonly time: number
  readonly service?: string
  readonly instance?: string
  readonly cause?: string
  readonly data: Readonly<Record<string, unknown>>
}
