/** When a page asks again: never two questions at once, none cut off by the next, and no more than can be read. */
import { expect, it } from 'vitest'
import { Asking, leastMs } from './asking.ts'

function made(answerMs: number) {
  let now = 0
  let due: { at: number; act: () => void }[] = []
  const began: number[] = []
  const cut: number[] = []
  let answered = 0
  const later = (act: () => void, ms: number): (() => void) => {
    const entry = { at: now + ms, act }
    due.push(entry)
    return () => (due = due.filter((one) => one !== entry))
  }
  const asking = new Asking({
    now: () => now,
    later,
    ask: (signal) => {
      const at = now
      began.push(at)
      return new Promise((resolve) => {
        later(() => {
          if (signal.aborted) cut.push(at)
          else answered++
          resolve()
        }, answerMs)
      })
    },
  })
  const until = async (end: number): Promise<void> => {
    for (;;) {
      const next = due.toSorted((a, b) => a.at - b.at)[0]
      if (!next || next.at > end) break
      due = due.filter((one) => one !== next)
      now = next.at
      next.act()
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
    }
    now = end
  }
  return { asking, began, cut, until, answered: () => answered }
}

it('an answer that takes longer than the time between two looks comes all the same', async () => {
  const { asking, cut, until, answered } = made(3_000)
  asking.restart()
  for (let at = 2_000; at <= 20_000; at += 2_000) {
    await until(at)
    asking.tick()
  }
  await until(30_000)
  expect(answered()).toBeGreaterThan(4)
  expect(cut).toEqual([])
})

it('what changes while it is asked is asked for again, once', async () => {
  const { asking, began, until } = made(1_000)
  asking.restart()
  await until(500)
  for (let i = 0; i < 20; i++) asking.look()
  await until(10_000)
  expect(began).toEqual([0, 1_000])
})

it('a storm of events asks no more often than can be read', async () => {
  const { asking, began, until } = made(10)
  asking.restart()
  for (let at = 5; at <= 10_000; at += 5) {
    await until(at)
    asking.look()
  }
  expect(began.length).toBeLessThanOrEqual(10_000 / leastMs + 1)
  expect(began.length).toBeGreaterThan(15)
})

it('another question cuts off the one before; nothing is asked after the end', async () => {
  const { asking, began, cut, until } = made(1_000)
  asking.restart()
  await until(100)
  asking.restart()
  asking.look()
  await until(1_050)
  asking.stop()
  await until(5_000)
  expect(began).toEqual([0, 100])
  expect(cut).toEqual([0, 100])
})
