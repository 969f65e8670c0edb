/** Looking for one alert among thousands: what is not on the first page is found all the same. */
import { expect, it, vi } from 'vitest'
import type { AlertView } from '../../app/alert-operations.ts'
import { buildApi } from '../app.ts'
import { apiBase } from '../deps.ts'
import { liveTables } from '../live/tables.ts'
import { ask, harness } from '../testing/harness.ts'

const view = (i: number, more: Partial<AlertView> = {}): AlertView => ({
  id: i.toString(16).padStart(16, '0'),
  severity: 'critical',
  isFiring: true,
  quiet: undefined,
  ack: undefined,
  receivers: ['ops'],
  alert: {
    fingerprint: i.toString(16).padStart(16, '0'),
    generatorUrl: undefined,
    labels: { alertname: 'Noise', service: `s${i}`, team: i % 2 === 0 ? 'lab' : 'shop' },
    annotations: { summary: `it is the ${i}th` },
    startsAt: i,
    endsAt: 0,
    updatedAt: i,
    timesOut: true,
  },
  ...more,
})

const quiet = { by: 'silenced', ids: ['x'], reason: 'we know' } as const
const many = Array.from({ length: 5_000 }, (_, i) => view(i))

it('words, labels, matchers and the status are looked for in all of them', async () => {
  const h = await harness()
  const over = view(6_000, { isFiring: false, severity: 'warning' })
  const rare = view(7_000, { severity: 'warning', quiet })
  vi.spyOn(h.operations.alerting, 'alerts').mockImplementation(({ all = false } = {}) => [...many, rare, ...(all ? [over] : [])])
  const app = buildApi(h.deps)
  const ids = async (query: string): Promise<readonly number[]> => {
    const { status, body } = await ask(app, { token: h.tokens.viewer, url: `${apiBase}/alerts?${query}` })
    expect([query, status]).toEqual([query, 200])
    return (body.data as { id: string }[]).map(({ id }) => Number.parseInt(id, 16))
  }
  expect(await ids('text=4711TH%20team%3Dshop&limit=500')).toEqual([4_711])
  expect(await ids('text=4711th%20team%3Dlab&limit=500')).toEqual([])
  expect(await ids(`matchers=${encodeURIComponent('service=~"s70.0", team=lab')}`)).toEqual([7_000])
  expect(await ids('status=suppressed&limit=500')).toEqual([7_000])
  expect(await ids('all=true&status=resolved&limit=500')).toEqual([6_000])
  expect(await ids('limit=1000')).toHaveLength(1_000)
  const bad = await ask(app, { token: h.tokens.viewer, url: `${apiBase}/alerts?matchers=${encodeURIComponent('a=~"("')}` })
  expect([bad.status, bad.body.error?.message]).toEqual([400, expect.stringContaining('(') as string])
  await app.close()
})

it('those that nobody has taken up come first on the stream, and are counted', async () => {
  const { operations } = await harness()
  const known = Array.from({ length: 200 }, (_, i) => view(i, { quiet }))
  const { system, alerts } = liveTables(operations.overview(), [...known, view(999, { severity: 'warning' })], 0)
  expect(system.system).toMatchObject({ alertsFiring: { critical: 200, warning: 1, emergency: 0 }, alertsOpen: 1 })
  expect(Object.keys(alerts)[0]).toBe(view(999).id)
})
