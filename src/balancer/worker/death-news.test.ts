import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DeathNews } from './death-news.ts'
import { crashNewsMs, livesMs, livesNewsMs } from './limits.ts'
import type { EndpointPool } from './upstream.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const endpoint = {} as EndpointPool
const told: string[] = []
const resume = (name: string) => () => void told.push(name)

it('gives everybody the whole time, also who comes when others have waited for long', () => {
  const began = Date.now()
  const news = new DeathNews(() => Date.now() - began)
  told.length = 0
  news.wait(endpoint, 50, resume('first'))
  vi.advanceTimersByTime(45)
  news.wait(endpoint, 50, resume('second'))
  vi.advanceTimersByTime(5)
  expect(told).toEqual(['first'])
  vi.advanceTimersByTime(40)
  news.came(endpoint)
  expect(told).toEqual(['first', 'second'])
  vi.advanceTimersByTime(1_000)
  expect(told).toHaveLength(2)
})

it('lets go of everybody at once when the news come', () => {
  const news = new DeathNews(() => 0)
  told.length = 0
  news.wait(endpoint, 50, resume('first'))
  news.wait(endpoint, 50, resume('second'))
  news.came(endpoint)
  expect(told).toEqual(['first', 'second'])
})

it('has less patience with an endpoint that has broken connections and lived, for a while', () => {
  const began = Date.now()
  const news = new DeathNews(() => Date.now() - began)
  told.length = 0
  news.wait(endpoint, crashNewsMs, resume('first'))
  vi.advanceTimersByTime(crashNewsMs - 1)
  expect(told).toEqual([])
  news.wait(endpoint, crashNewsMs, resume('second'))
  vi.advanceTimersByTime(1 + livesNewsMs)
  expect(told).toEqual(['first', 'second'])
  news.wait(endpoint, crashNewsMs, resume('third'))
  vi.advanceTimersByTime(livesNewsMs)
  expect(told).toHaveLength(3)
  vi.advanceTimersByTime(livesMs)
  news.wait(endpoint, crashNewsMs, resume('fourth'))
  vi.advanceTimersByTime(livesNewsMs)
  expect(told).toHaveLength(3)
})
