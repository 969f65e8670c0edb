import { describe, expect, it } from 'vitest'
import type { EventInput, EventSink, EventType } from '../kernel/events.ts'
import { wallTime } from '../kernel/time.ts'
import { Announcer } from './announcer.ts'
import type { Alert } from './core/alerts.ts'

const alert = (alertname: string, instance: number): Alert => ({
  fingerprint: `${alertname}-${instance}`,
  labels: { alertname, severity: 'warning', instance: `i-${instance}` },
  annotations: {},
  startsAt: 0,
  endsAt: Infinity,
  updatedAt: 0,
  generatorUrl: undefined,
  timesOut: false,
})

describe('many alerts in one second', () => {
  it('are told together, but for the first of each name: a policy may wait for it', () => {
    const told: { readonly type: EventType; readonly data: Readonly<Record<string, unknown>> }[] = []
    const events: EventSink = {
      emit<T extends EventType>(type: T, { data }: EventInput<T>) {
        told.push({ type, data: data as Readonly<Record<string, unknown>> })
        return String(told.length)
      },
    }
    const announcer = new Announcer(events)
    const now = wallTime(1_000_000)
    const flood = Array.from({ length: 5_000 }, (_, i) => alert('Flood', i))
    announcer.changes({ fired: [...flood, alert('Wanted', 0), alert('Wanted', 1)], resolved: [] }, now)
    announcer.rest()
    const names = told.filter(({ type }) => type === 'alert.fired').map(({ data }) => data.alertname)
    expect(names.filter((name) => name === 'Flood')).toHaveLength(100)
    expect(names.filter((name) => name === 'Wanted')).toHaveLength(1)
    expect(told.at(-1)).toMatchObject({ type: 'alert.burst', data: { fired: 4_901 } })
  })
})
