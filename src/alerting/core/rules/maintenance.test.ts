import { describe, expect, it } from 'vitest'
import { ms } from '../../../kernel/time.ts'
import { parseCron } from './cron.ts'
import { MaintenancePlan } from './maintenance.ts'

const at = (text: string): number => Date.parse(`${text}Z`)

describe('times that come again', () => {
  it.each([
    ['30 2 * * sun', '2026-03-01T02:30', true],
    ['30 2 * * 7', '2026-03-01T02:30', true],
    ['30 2 * * mon', '2026-03-01T02:30', false],
    ['*/15 * * * *', '2026-03-01T02:45', true],
    ['5/10 * * * *', '2026-03-01T02:55', true],
    ['0 8-17 * * mon-fri', '2026-03-02T17:00', true],
    ['0 8-17 * * mon-fri', '2026-03-02T18:00', false],
    ['0 0 1,15 * sun', '2026-03-08T00:00', true],
    ['0 0 1,15 * sun', '2026-03-15T00:00', true],
    ['0 0 1,15 feb *', '2026-03-15T00:00', false],
    ['@daily', '2026-03-15T00:00', true],
  ])('%s at %s: %s', (text, when, expected) => {
    expect(parseCron(text).matches(at(when))).toBe(expected)
  })

  it.each([
    ['0 24 * * *', '"24" is no hour (0 to 23)'],
    ['0 8 * *', 'expected five fields, found 4'],
    ['0 9-8 * * *', '"9-8" is no hour'],
    ['x * * * *', '"x" is no minute'],
    ['*/0 * * * *', '"*/0" is no minute'],
  ])('%s is refused', (text, problem) => {
    expect(() => parseCron(text)).toThrow(problem)
  })
})

describe('a maintenance window', () => {
  const plan = new MaintenancePlan([
    { services: ['shop'], cron: '0 2 * * *', duration: ms(3_600_000), comment: 'backup', published: true },
    { services: [], from: at('2026-03-01T12:00'), duration: ms(60_000), published: true },
  ])

  it('covers its services from its beginning until its end', () => {
    expect(plan.covers({ service: 'shop' }, at('2026-03-01T01:59:59'))).toBe(false)
    expect(plan.covers({ service: 'shop' }, at('2026-03-01T02:00'))).toBe(true)
    expect(plan.covers({ service: 'shop' }, at('2026-03-01T02:59:59'))).toBe(true)
    expect(plan.covers({ service: 'shop' }, at('2026-03-01T03:00'))).toBe(false)
    expect(plan.covers({ service: 'auth' }, at('2026-03-01T02:30'))).toBe(false)
    expect(plan.covers({}, at('2026-03-01T02:30'))).toBe(false)
  })

  it('is known before it begins, the next of those that come again only', () => {
    const week = 7 * 86_400_000
    const begin = ({ from }: { from: number }): string => new Date(from).toISOString().slice(0, 16)
    expect(plan.coming(at('2026-03-01T02:00'), week).map(begin)).toEqual(['2026-03-01T12:00', '2026-03-02T02:00'])
    expect(plan.coming(at('2026-03-01T01:59'), 60_000).map(begin)).toEqual(['2026-03-01T02:00'])
    expect(plan.coming(at('2026-03-01T12:00'), week).map(begin)).toEqual(['2026-03-02T02:00'])
  })

  it('without services covers everything', () => {
    expect(plan.covers({}, at('2026-03-01T12:00:30'))).toBe(true)
    expect(plan.open(at('2026-03-01T12:00:30'))).toEqual([
      { services: [], comment: undefined, from: at('2026-03-01T12:00'), until: at('2026-03-01T12:01') },
    ])
  })
})
