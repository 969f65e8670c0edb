/** The tables that the page holds: what the stream says is what they have, and only what changes is told of. */
import { effect } from '@preact/signals'
import { describe, expect, it } from 'vitest'
import { recentPoints, Ring, Recent, stretches } from './recent.ts'
import { Table } from './table.ts'

interface Thing {
  readonly id: string
  readonly phase: string
  readonly reason?: string
}

describe('a table', () => {
  it('takes over fields, and takes away those that are null', () => {
    const table = new Table<Thing>()
    table.apply({ a: { id: 'a', phase: 'ready', reason: 'slow' } })
    table.apply({ a: { phase: 'stopping', reason: null } })
    expect(table.all()).toEqual([{ id: 'a', phase: 'stopping' }])
    table.apply({}, ['a', 'never there'])
    expect([table.all(), table.ids.value, table.get('a')]).toEqual([[], [], undefined])
  })

  it('a row hears of its own changes only, and a list only of who comes and goes', () => {
    const table = new Table<Thing>()
    table.apply({ a: { id: 'a', phase: 'ready' }, b: { id: 'b', phase: 'ready' } })
    const drawn: string[] = []
    const stops = [effect(() => void drawn.push(`a ${table.get('a')?.phase ?? ''}`)), effect(() => void drawn.push(`ids ${table.ids.value.join()}`))]
    drawn.length = 0
    table.apply({ b: { phase: 'stopping' } })
    expect(drawn).toEqual([])
    table.apply({ a: { phase: 'stopping' } })
    table.apply({ c: { id: 'c', phase: 'starting' } })
    table.apply({}, ['b'])
    expect(drawn).toEqual(['a stopping', 'ids a,b,c', 'ids a,c'])
    for (const stop of stops) stop()
  })
})

it('of what has gone it keeps no more than a few hundred signals, and of what is there all', () => {
  const table = new Table<Thing>()
  for (let i = 0; i < 5_000; i++) table.apply({ [`n${i}`]: { id: `n${i}`, phase: 'ready' } }, [`n${i - 1}`])
  expect(table.size).toBeLessThan(600)
  const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`m${i}`, { id: `m${i}`, phase: 'ready' }]))
  table.apply(many)
  // The stream has come back: all is told again.
  table.clear()
  table.apply(many)
  expect(table.all()).toHaveLength(1_000)
  let seen = 0
  const stop = effect(() => {
    seen = table.all().filter(({ phase }) => phase === 'stopping').length
  })
  table.apply({ m3: { phase: 'stopping' }, m999: { phase: 'stopping' } })
  expect(seen).toBe(2)
  stop()
})

describe('what is drawn small', () => {
  it('a ring holds the newest, however much comes', () => {
    const ring = new Ring()
    expect(ring.last()).toBeNaN()
    for (let i = 0; i < recentPoints + 5; i++) ring.push(i)
    expect([ring.at(0), ring.last()]).toEqual([5, recentPoints + 4])
  })

  it('of a count that grows it keeps so many a second; one that begins again is a gap, no fall', () => {
    const endpoints = new Table<never>()
    const sources = { services: new Table<never>(), instances: new Table<never>(), endpoints }
    const recent = new Recent(sources)
    const told = (requests: number) => endpoints.apply({ 'shop/a': { service: 'shop', id: 'a', traffic: { requests } } })
    const ring = recent.ring('endpoint:rate:shop/a')
    told(100)
    expect(recent.take(1_000_000)).toBe(true)
    expect(ring.last()).toBeNaN()
    told(120)
    // A message that an event brought: the second is not over.
    expect(recent.take(1_000_100)).toBe(false)
    expect(recent.take(1_002_000)).toBe(true)
    expect(ring.last()).toBe(10)
    told(5)
    recent.take(1_003_000)
    expect(ring.last()).toBeNaN()
  })

  it('while the browser slept there is a gap: neither a line across it nor a rate of all of it', () => {
    const services = new Table<never>()
    const recent = new Recent({ services, instances: new Table<never>(), endpoints: new Table<never>() })
    const take = (at: number, requests: number): void => {
      services.apply({ shop: { name: 'shop', traffic: { requests, active: 1 } } })
      recent.take(1_000_000 + at * 1_000)
    }
    for (let at = 0; at < 10; at++) take(at, at * 5)
    for (let at = 40; at < 50; at++) take(at, at * 5)
    const ring = recent.ring('service:rate:shop')
    // The first of each stretch has nothing before it to be measured by.
    expect(stretches(ring)).toEqual([
      [recentPoints - 49, recentPoints - 41],
      [recentPoints - 9, recentPoints - 1],
    ])
    take(3_650, 20_000)
    expect(stretches(ring)).toEqual([])
  })

  it('of what has gone nothing stays', () => {
    const instances = new Table<never>()
    const recent = new Recent({ services: new Table<never>(), instances, endpoints: new Table<never>() })
    for (let i = 0; i < 200; i++) {
      instances.apply({ [`n${i}`]: { id: `n${i}` } }, [`n${i - 1}`])
      recent.take(1_000_000 + i * 1_000)
    }
    expect(recent.size).toBeLessThan(100)
  })
})
