import { describe, expect, it } from 'vitest'
import type { AnyEvent, EventLevel } from '../kernel/events.ts'
import { wallTime } from '../kernel/time.ts'
import { logEvent } from './log.ts'

const anEvent = (level: EventLevel): AnyEvent => ({
  id: 'id1',
  seq: 7,
  time: wallTime(0),
  type: 'instance.exited',
  level,
  message: 'shop-1 was ended by SIGKILL',
  region: 'local',
  service: 'shop',
  instance: 'shop-1',
  cause: 'id0',
  data: { class: 'killed', uptimeMs: 5, stderrTail: [] },
})

describe('an event in the log', () => {
  it.each([
    ['debug', 'debug'],
    ['info', 'info'],
    ['warning', 'warn'],
    ['error', 'error'],
    ['critical', 'fatal'],
  ] as const)('of the level %s is a line of the level %s, with who, what and why', (level, expected) => {
    const lines: unknown[] = []
    const at = (name: string) => (fields: object, message: string) => void lines.push([name, fields, message])
    const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') }
    logEvent(logger as never, anEvent(level))
    const { id, seq, service, instance, cause, data } = anEvent(level)
    expect(lines).toEqual([[expected, { event: 'instance.exited', id, seq, service, instance, cause, data }, 'shop-1 was ended by SIGKILL']])
  })
})
