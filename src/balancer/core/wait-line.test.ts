import { expect, it } from 'vitest'
import { congestedAfterMs, WaitLine } from './wait-line.ts'

const drain = (line: WaitLine<string>, now: number): string[] => {
  const order: string[] = []
  for (let next = line.next(now); next !== undefined; next = line.next(now)) order.push(next.request)
  return order
}

it('goes in the order of arrival, and whoever had a turn in vain goes first again', () => {
  const line = new WaitLine<string>()
  for (const name of ['a', 'b', 'c']) line.add(name, 100, 0)
  line.add('again', 50, 0, true)
  expect(drain(line, 10)).toEqual(['again', 'a', 'b', 'c'])
})

it('lets the newest go first when it has not been empty for a second, until it was', () => {
  const line = new WaitLine<string>()
  for (const name of ['a', 'b', 'c']) line.add(name, 9_000, 0)
  expect(line.next(congestedAfterMs + 1)?.request).toBe('c')
  expect(drain(line, congestedAfterMs)).toEqual(['a', 'b'])
  line.add('d', 9_000, 5_000)
  line.add('e', 9_000, 5_000)
  expect(drain(line, 5_001)).toEqual(['d', 'e'])
})

it('is left from any place', () => {
  const line = new WaitLine<string>()
  for (const name of ['a', 'b', 'c', 'd']) line.add(name, 100, 0)
  for (const name of ['b', 'a', 'd']) expect(line.leave(name)).toBe(true)
  expect(line.leave('b')).toBe(false)
  expect([line.size, drain(line, 0)]).toEqual([1, ['c']])
})

it('tells those whose time is up', () => {
  const line = new WaitLine<string>()
  line.add('a', 100, 0)
  line.add('b', 200, 0)
  expect(line.expired(150)).toEqual(['a'])
  expect(drain(line, 150)).toEqual(['b'])
})
