/** The history on a real disk: rolled up exactly, taken up again after any death, bounded, and never in the way. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MetricsQueries } from '../../src/app/metrics-queries.ts'
import { History, HistoryFile, Uptime } from '../../src/metrics/index.ts'
import type { Labels, Point, Sample, Series } from '../../src/metrics/types.ts'
import type { ServiceStatus } from '../../src/registry/types.ts'
import { loadDriver } from '../../src/store/index.ts'
import { until } from '../chaos/wait.ts'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const start = 1_800_057_600_000 // a midnight

let folder: string
let setAside: string[]
let problems: unknown[]
let damages: unknown[]
const open: History[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-history-'))
  setAside = []
  problems = []
  damages = []
})
afterEach(() => {
  for (const history of open.splice(0)) history.stop()
  rmSync(folder, { recursive: true, force: true })
})

const path = (): string => join(folder, 'history.db')

async function opened(bytesMax?: number, at: string = path()): Promise<History> {
  const file = new HistoryFile({ path: at, onSetAside: (aside) => setAside.push(aside), ...(bytesMax !== undefined && { bytesMax }) })
  const history = new History({ file, onProblem: (error) => problems.push(error), onDamaged: (error) => damages.push(error) })
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
    const read: Series[] = []
    await history.read({ metric: 'x', from: start, to: end, step: hour }, (series) => void read.push(series))
    expect(read).toEqual(history.range({ metric: 'x', from: start, to: end, step: hour }))
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

  it('loses the last seconds at most when its process is killed, again and again, and nothing of before', async () => {
    const writer = fileURLToPath(new URL('history-writer.ts', import.meta.url))
    let [seed, last] = [Number(process.env.SEED ?? 7), start - 1_000]
    for (let kill = 0; kill < 5; kill++) {
      const child = spawn(process.execPath, ['--import', 'tsx', writer, path(), String(start)], { stdio: ['ignore', 'pipe', 'inherit'] })
      let said = ''
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
      await until('it writes', () => said.includes('\n') || undefined)
      const first = Number(said.split('\n', 1)[0])
      expect(last + 1_000 - first).toBeLessThanOrEqual(5_000)
      seed = (seed * 48_271) % 2_147_483_647
      await new Promise((resolve) => setTimeout(resolve, 50 + (seed % 300)))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      expect(child.exitCode).toBeNull()
      last = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1))
    }
    const history = await opened()
    const end = history.lastAt + 1_000
    expect(end - start).toBeGreaterThan(hour)
    for (const step of [minute, hour]) {
      const points = history.range({ metric: 'n', from: start, to: end, step })[0]?.points ?? []
      const whole = Array.from({ length: Math.ceil((end - start) / step) }, (_, i) => {
        const [from, to] = [(i * step) / 1_000, Math.min((i + 1) * step, end - start) / 1_000]
        return { at: start + i * step, mean: (from + to - 1) / 2, min: from, max: to - 1, last: to - 1, count: to - from }
      })
      expect(points).toEqual(whole)
    }
    history.add({ at: end, samples: [sample('n', 7)] })
    history.stop()
    const again = await opened()
    expect(again.range({ metric: 'n', from: end - 10_000, to: end + 1, step: 1_000 })[0]?.points).toHaveLength(11)
    expect(problems).toEqual([])
  })

  it.each([
    ['zeros', (bytes: Buffer) => bytes.fill(0)],
    ['a part of it', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['a bit that has turned', (bytes: Buffer) => bytes.fill((bytes[bytes.length >> 1] ?? 0) ^ 1, bytes.length >> 1, (bytes.length >> 1) + 1)],
  ])('a minute, an hour or a day of which the disk gives %s is a gap, and keeps nothing from being rolled up', async (_, spoil) => {
    const history = await opened()
    await feed(history, start, start + 23 * hour + 30 * minute, minute)
    history.stop()
    const database = new (await loadDriver()).DatabaseSync(path())
    const spoilRow = (table: string, where: string): void => {
      const { data } = database.prepare(`SELECT data FROM ${table} WHERE ${where}`).get() as { data: Uint8Array }
      database.prepare(`UPDATE ${table} SET data = ? WHERE ${where}`).run(spoil(Buffer.from(data)))
    }
    spoilRow('chunks', `tier = 1 AND start = ${start + 3 * hour}`)
    spoilRow('raw', `start = ${start + 23 * hour + 10 * minute}`)
    database.close()
    const again = await opened()
    await feed(again, start + 23 * hour + 30 * minute, start + day + 5 * minute, minute)
    const places = (from: number, to: number, step: number) =>
      again.range({ metric: 'x', from: start + from, to: start + to, step })[0]?.points.map(({ at }) => at - start)
    expect(places(2 * hour + 58 * minute, 4 * hour + 22 * minute, minute)).toEqual([2 * hour + 58 * minute, 2 * hour + 59 * minute, 4 * hour + 20 * minute, 4 * hour + 21 * minute]) // prettier-ignore
    expect(places(23 * hour + 9 * minute, 23 * hour + 12 * minute, minute)).toEqual([23 * hour + 9 * minute, 23 * hour + 11 * minute])
    // The day was rolled up of what there is.
    expect(places(0, day, hour)).toEqual(Array.from({ length: 24 }, (_hour, n) => n * hour).filter((at) => at !== 3 * hour))
    expect([damages.length, problems, setAside]).toEqual([1, [], []])
  })

  it('whose file is removed while it is open is begun anew with what memory has', async () => {
    const history = await opened()
    const uptime = new Uptime(history, () => start)
    uptime.tick(start, [{ name: 'shop', ready: 1, desired: 1, maintenance: false } as ServiceStatus], true)
    for (let s = 0; s < 100; s++) history.add({ at: start + 1_000 * s, samples: [sample('x', s)] })
    rmSync(path())
    for (let s = 100; s < 110; s++) history.add({ at: start + 1_000 * s, samples: [sample('x', s)] })
    await until('it is begun anew', () => history.file !== undefined || undefined)
    history.add({ at: start + 110_000, samples: [sample('x', 110)] })
    history.stop()
    const again = await opened()
    const [kept] = again.range({ metric: 'x', from: start, to: start + hour, step: 1_000 })
    expect(kept?.points.map(({ last }) => last)).toEqual(Array.from({ length: 111 }, (_, n) => n))
    expect(again.file?.days('')).toHaveLength(1)
    expect([problems, setAside]).toEqual([[], []])
  })

  it.each([3, 6, 12])('that is damaged from page %i on is set aside when that is met, and begun anew', async (page) => {
    const history = await opened()
    for (let at = start; at < start + 3 * hour; at += minute) {
      history.add({ at, samples: Array.from({ length: 40 }, (_, n) => sample('noise', (at / 7) % (n + 3), { n: String(n) })) })
      if (at % hour === 0) await history.whenRolled()
    }
    history.stop()
    const spoilt = join(folder, 'spoilt.db')
    const database = new (await loadDriver()).DatabaseSync(path())
    database.exec(`VACUUM INTO '${spoilt}'`)
    database.close()
    writeFileSync(spoilt, Buffer.concat([readFileSync(spoilt).subarray(0, page * 4_096), Buffer.alloc(statSync(spoilt).size - page * 4_096, 7)]))
    const again = await opened(undefined, spoilt)
    const from = start + 3 * hour
    for (let s = 0; s < 3_700; s += 10) {
      again.add({ at: from + 1_000 * s, samples: [sample('x', s)] })
      await again.whenRolled()
      await new Promise((resolve) => setImmediate(resolve))
    }
    again.stop()
    expect(setAside).toEqual([`${spoilt}.corrupt`])
    const [kept] = (await opened(undefined, spoilt)).range({ metric: 'x', from, to: from + 2 * hour, step: minute })
    expect(kept?.points.map(({ at }) => (at - from) / minute)).toEqual(Array.from({ length: 62 }, (_, n) => n))
  })

  it('stays small when ten thousand instances come and go in an hour, and always sees those that are there', async () => {
    const history = await opened()
    // Three a second, each for a minute.
    const alive = (s: number): number[] => Array.from({ length: 183 }, (_, n) => 3 * (s - 60) + n).filter((n) => n >= 0)
    let seen = Infinity
    for (let s = 0; s < 3 * 3_600; s += 5) {
      history.add({ at: start + 1_000 * s, samples: alive(s).map((n) => sample('cpu', n % 100, { service: 'web', instance: String(n) })) })
      if (s > 60) seen = Math.min(seen, history.latest({ metric: 'cpu' }).length)
      if (s % 3_600 === 0) await history.whenRolled()
    }
    expect([seen >= 183, history.seriesCount <= 2_000]).toEqual([true, true])
    history.stop()
    expect(statSync(path()).size).toBeLessThan(12 * 1_048_576)
    const again = await opened()
    const queries = new MetricsQueries(again, () => [])
    const whole = { metric: 'cpu', from: start, to: start + 3 * hour }
    expect(await queries.query({ ...whole, labels: { instance: '5000' } })).toMatchObject({ series: [{ labels: { instance: '5000' } }], leftOff: 0 })
    expect((await queries.query(whole)).series).toHaveLength(200)
    await expect(queries.query({ ...whole, by: [] })).rejects.toMatchObject({
      code: 'too_many_series',
      hint: expect.stringContaining('narrow') as string,
    })
    expect((await queries.query({ ...whole, from: start + 2.5 * hour, by: [] })).series).toHaveLength(1)
  }, 30_000)

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
