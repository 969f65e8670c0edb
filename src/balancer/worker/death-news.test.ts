import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeathNews } from './death-news.ts'
import { crashNewsMs, endNewsMs, livesMs, livesNewsMs, lookMs, slowExitsMs } from './limits.ts'
import type { LookAt } from './liveness.ts'
import type { EndpointPool } from './upstream.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const endpoint = { view: {} } as EndpointPool
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

describe('a look at the process', () => {
  const began = (): (() => number) => {
    const at = Date.now()
    return () => Date.now() - at
  }
  const seen = (gone?: string): EndpointPool => ({ service: 'web', gone, view: { process: { pid: 1, startTicks: 1 } } }) as unknown as EndpointPool
  const alive: LookAt = (_view, answer) => {
    answer('lives')
  }

  it('ends the wait when it lives, also of those who come again and again', () => {
    const news = new DeathNews(began(), alive)
    const living = seen()
    for (let i = 0; i < 3; i++) {
      told.length = 0
      news.wait(living, crashNewsMs, resume('first'))
      vi.advanceTimersByTime(lookMs - 1)
      news.wait(living, crashNewsMs, resume('too late for this look'))
      expect(told).toEqual([])
      vi.advanceTimersByTime(1)
      expect(told).toEqual(['first'])
      vi.advanceTimersByTime(lookMs)
      expect(told).toEqual(['first', 'too late for this look'])
      vi.advanceTimersByTime(crashNewsMs)
      expect(told).toHaveLength(2)
    }
  })

  it('changes nothing when it cannot be told whether it lives, or nobody knows its process', () => {
    const doubtful: LookAt = (_view, answer) => {
      answer(undefined)
    }
    for (const { each, look } of [
      { each: seen(), look: doubtful },
      { each: endpoint, look: alive },
    ]) {
      const news = new DeathNews(began(), look)
      told.length = 0
      news.wait(each, crashNewsMs, resume('first'))
      vi.advanceTimersByTime(crashNewsMs - 1)
      expect(told).toEqual([])
      vi.advanceTimersByTime(1)
      expect(told).toEqual(['first'])
    }
  })

  it('that finds that it has ended gives the news more time, for all, and teaches nothing when they do not come', () => {
    const news = new DeathNews(began(), (_view, answer) => {
      answer('ends')
    })
    const ended = seen()
    told.length = 0
    news.wait(ended, crashNewsMs, resume('first'))
    vi.advanceTimersByTime(crashNewsMs)
    news.wait(ended, crashNewsMs, resume('second'))
    vi.advanceTimersByTime(endNewsMs + lookMs - crashNewsMs - 1)
    expect(told).toEqual([])
    vi.advanceTimersByTime(crashNewsMs + 1)
    expect(told).toEqual(['first', 'second'])
    news.wait(ended, crashNewsMs, resume('third'))
    vi.advanceTimersByTime(endNewsMs)
    expect(told).toHaveLength(2)
    news.came(ended)
    expect(told).toHaveLength(3)
  })

  it('comes to nothing when the news come first', () => {
    const news = new DeathNews(began(), alive)
    const dying = seen('exit code=1')
    told.length = 0
    news.wait(dying, crashNewsMs, resume('first'))
    news.came(dying)
    vi.advanceTimersByTime(crashNewsMs)
    expect(told).toEqual(['first'])
  })

  it('does not count for a while where one that was found to live has crashed', () => {
    const news = new DeathNews(began(), alive)
    const slow = seen('exit code=1')
    const sibling = seen()
    news.wait(slow, crashNewsMs, resume('first'))
    vi.advanceTimersByTime(lookMs + 100)
    news.came(slow)
    told.length = 0
    news.wait(sibling, crashNewsMs, resume('second'))
    vi.advanceTimersByTime(crashNewsMs - 1)
    expect(told).toEqual([])
    vi.advanceTimersByTime(1)
    expect(told).toEqual(['second'])
    vi.advanceTimersByTime(slowExitsMs)
    news.wait(sibling, crashNewsMs, resume('third'))
    vi.advanceTimersByTime(lookMs)
    expect(told).toEqual(['second', 'third'])
  })
})
