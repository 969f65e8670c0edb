import { describe, expect, it } from 'vitest'
import type { Incident } from '../alerting/core/incidents.ts'
import { incidentsOf } from './known-incidents.ts'

const incident = (id: string, openedAt: number, services: readonly string[], alertname = 'Other', resolvedAt?: number): Incident => ({
  id,
  key: id,
  title: id,
  status: 'resolved',
  impact: 'major',
  openedAt,
  resolvedAt,
  quietSince: undefined,
  services,
  cause: undefined,
  alerts: [{ fingerprint: id, labels: { alertname }, severity: 'critical', summary: id, startsAt: openedAt, endsAt: undefined }],
  timeline: [],
  updates: [],
  published: false,
})

describe('the incidents that a rule should have told of', () => {
  const time = { from: 1_000_000, to: 9_000_000 }

  it('are those of its services, and its own, in that time', () => {
    const incidents = [
      incident('1', 2_000_000, ['shop'], 'Other', 3_000_000),
      incident('2', 2_000_000, ['auth'], 'Other', 3_000_000),
      incident('3', 4_000_000, ['auth'], 'Slow'),
      incident('4', 500_000, ['shop'], 'Other', 900_000),
    ]
    expect(incidentsOf({ name: 'Slow', services: ['shop'] }, incidents, time)).toEqual([
      { name: 'incident 1', from: 1_880_000, to: 3_000_000 },
      { name: 'incident 3', from: 3_880_000, to: 9_000_000 },
    ])
  })

  it('are not spoken of where there is none', () => {
    expect(incidentsOf({ name: 'Disk', services: [] }, [incident('1', 2_000_000, ['shop'])], time)).toBeUndefined()
  })
})
