/** The history on a real disk: rolled up exactly, taken up again after any death, bounded, and never in the way. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { History, HistoryFile } from '../../src/metrics/index.ts'
import type { Labels, Point, Sample } from '../../src/metrics/types.ts'
import { until } from '../chaos/wait.ts'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const start = 1_800_057_600_000 // a midnight

let folder: string
let setAside: string[]
let problems: unknown[]
const open: History[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-history-'))
  setAside = []
  problems = []
})
afterEach(() => {
  for (const history of open.splice(0)) history.stop()
  rmSync(folder, { recursive: true, force: true })
})

const path = (): string => join(folder, 'history.db')

async function opened(bytesMax?: number): Promise<History> {
  const file = new HistoryFile({ path: path(), onSetAside: (aside) => setAside.push(aside), ...(bytesMax !== undefined && { bytesMax }) })
  const history = new History({ file, onProblem: (error) => problems.push(error) })
  await history.start()
  open.push(history)
  return history
}

const sample = (metric: string, value: number, labels: Labels = {}): Sample => ({ metric, labels, value })
/** Whole numbers, so that sums are exact; with a hole in every third hour. */
const valueAt = (at: number): number | undefined =>
  Math.floor(at / hour) % 3 === 1 && at % hour < 20 * minute ? undefined : Math.floor(at / 10_000) % 977

async function feed(history: History, from: number, to: number, every: number): Promise<void> {
  for (let at = from; at < to; at += every) {
    const value = valueAt(at)
    history.add({ at, samples: value === undefined ? [] : [sample('x', value, { service: 'shop' })] })
    if (at % hour < every) await history.whenRolled()
  }
}

function stepsOf(from: number, to: number, every: number, step: number): Point[] {
  const steps = new Map<number, number[]>()
  for (let at = from; at < to; at += every) {
    const value = valueAt(at)
    if (value !== undefined) steps.set(Math.floor(at / step) * step, [...(steps.get(Math.floor(at / step) * step) ?? []), value])
  }
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  return [...steps].map(([at, values]) => ({
    at,
    mean: sum(values) / values.length,
    min: Math.min(...values),
    max: Math.max(...values),
    last: values.at(-1) ?? NaN,
    count: values.length,
  }))
}

describe('the history on the disk', () => {
  it('is by the minute and by the hour what the samples were, across restarts, the hour that goes on included', async () => {
    const end = start + 3 * day + 5 * hour + 7 * minute
    let history = await opened()
    for (let from = start; from < end; from += 17 * hour) {
      await feed(history, from, Math.min(end, from + 17 * hour), 10_000)
      history.stop()
      history = await opened()
    }
    const query = (step: number) => history.range({ metric: 'x', from: start, to: end, step })[0]?.points
    expect(query(minute)).toEqual(stepsOf(start, end, 10_000, minute))
    expect(query(5 * minute)).toEqual(stepsOf(start, end, 10_000, 5 * minute))
    expect(query(hour)).toEqual(stepsOf(start, end, 10_000, hour))
    expect(query(day)).toEqual(stepsOf(start, end, 10_000, day))
    expect(await history.read({ metric: 'x', from: start, to: end, step: hour })).toEqual(
      history.range({ metric: 'x', from: start, to: end, step: hour }),
    )
    const recent = history.range({ metric: 'x', from: end - 30 * minute, to: end, step: 1_000 })[0]?.points
    expect(recent?.map(({ at, last }) => [at, last])).toEqual(stepsOf(end - 30 * minute, end, 10_000, 1).map(({ at, last }) => [at, last]))
    expect(problems).toEqual([])
  })

  it('keeps the minutes of 7 days and the hours before that, and counts rather than looks at the clock', async () => {
    const history = await opened()
    await feed(history, start, start + 9 * day + hour, minute)
    const whole = { metric: 'x', from: start, to: start + 10 * day }
    expect(history.stepOf({ ...whole, step: minute })).toBe(hour)
    expect(history.range({ ...whole, step: minute })[0]?.points).toEqual(stepsOf(start, start + 9 * day + hour, minute, hour))
    const since = start + 3 * day
    expect(history.range({ metric: 'x', from: since, to: start + 10 * day, step: minute })[0]?.points).toEqual(
      stepsOf(since, start + 9 * day + hour, minute, minute),
    )
    // A clock that jumps a year ahead takes nothing along.
    history.add({ at: start + 400 * day, samples: [sample('x', 1, { service: 'shop' })] })
    await history.whenRolled()
    expect(history.range({ ...whole, step: hour })[0]?.points).toEqual(stepsOf(start, start + 9 * day + hour, minute, hour))
  })

  it('knows a series that was away for long by its old number', async () => {
    const history = await opened()
    const labels = { service: 'shop', instance: 'a' }
    history.add({ at: start, samples: [sample('y', 1, { instance: 'a', service: 'shop' })] })
    await feed(history, start + minute, start + 3 * hour, minute)
    history.add({ at: start + 3 * hour, samples: [sample('y', 2, labels)] })
    await history.whenRolled()
    expect(history.range({ metric: 'y', from: start, to: start + day, step: hour })).toMatchObject([
      { labels, points: [{ at: start, last: 1 }, { at: start + 3 * hour, last: 2 }] }, // prettier-ignore
    ])
  })

  it('loses the last seconds at most when its process is killed, and goes on in the same minute', async () => {
    const writer = fileURLToPath(new URL('history-writer.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', writer, path(), String(start)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await until('it has written for a while', () => said.split('\n').length > 300 || undefined)
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    const last = Number(said.trim().split('\n').at(-1))
    const history = await opened()
    const points = history.range({ metric: 'n', from: start, to: start + day, step: 1_000 })[0]?.points ?? []
    expect(points.length).toBeGreaterThan(290)
    expect(points.map(({ at }) => at)).toEqual(points.map((_, i) => start + 1_000 * i))
    expect(last - (points.at(-1)?.at ?? 0)).toBeLessThanOrEqual(6_000)
    const next = (points.at(-1)?.at ?? 0) + 1_000
    history.add({ at: next, samples: [sample('n', 7)] })
    history.stop()
    const again = await opened()
    expect(again.range({ metric: 'n', from: start, to: start + day, step: 1_000 })[0]?.points).toHaveLength(points.length + 1)
  })

  it('that is damaged is set aside and begun anew', async () => {
    writeFileSync(path(), 'nothing that SQLite knows, and more than a hundred bytes of it '.repeat(100))
    const history = await opened()
    history.add({ at: start, samples: [sample('x', 1)] })
    expect(history.latest({ metric: 'x' })).toHaveLength(1)
    expect(setAside).toEqual([`${path()}.corrupt`])
    history.stop()
    expect(readFileSync(path()).toString('latin1', 0, 15)).toBe('SQLite format 3')
  })

  it('that cannot be opened is done without, and told of', async () => {
    rmSync(folder, { recursive: true })
    const history = await opened()
    history.add({ at: start, samples: [sample('x', 1)] })
    expect(history.range({ metric: 'x', from: start - 100 * day, to: start + 1 })[0]?.points).toHaveLength(1)
    expect(problems).toHaveLength(1)
  })

  it('stays within its room: the oldest goes', async () => {
    const history = await opened(3 * 1_048_576)
    let seed = 1
    const noise = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 7
    for (let at = start; at < start + 60 * hour; at += minute) {
      history.add({ at, samples: Array.from({ length: 40 }, (_, n) => sample('noise', noise(), { n: String(n) })) })
      if (at % hour === 0) await history.whenRolled()
    }
    expect(statSync(path()).size).toBeLessThanOrEqual(3 * 1_048_576)
    expect(problems).toEqual([])
    const [kept] = history.range({ metric: 'noise', labels: { n: '7' }, from: start + 57 * hour, to: start + 60 * hour, step: minute })
    expect(kept?.points.map(({ at }) => at)).toEqual(Array.from({ length: 180 }, (_, n) => start + 57 * hour + n * minute))
  })
})
