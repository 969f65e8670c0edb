/** The tables that the page holds: what the stream says is what they have, and only what changes is told of. */
import { effect } from '@preact/signals'
import { describe, expect, it } from 'vitest'
import { recentPoints, Ring, Recent } from './recent.ts'
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
