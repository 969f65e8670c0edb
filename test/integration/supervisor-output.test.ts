/** The output of instances: read back, followed, cut, thrown away, and never in the way of those who write it. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/kernel/system.ts'
import { minutes, wallTime } from '../../src/kernel/time.ts'
import { InstanceLogs } from '../../src/supervisor/output/instance-logs.ts'
import { LogFiles, logLimits, type LogLimits } from '../../src/supervisor/output/log-files.ts'
import { linesFromEnd } from '../../src/supervisor/output/read-lines.ts'
import { appendMark, readMarks, timeOf } from '../../src/supervisor/output/time-index.ts'
import type { LogLine } from '../../src/supervisor/output/types.ts'
import { eventually, removeFolder, temporaryFolder } from '../support/supervisor-harness.ts'

let folder: string
let problems: unknown[]
let logs: InstanceLogs | undefined

beforeEach(() => {
  folder = temporaryFolder()
  problems = []
})

afterEach(() => {
  logs?.stop()
  logs = undefined
  removeFolder(folder)
  expect(problems).toEqual([])
})

function open(limits: Partial<LogLimits> = {}): { files: LogFiles; logs: InstanceLogs } {
  const all = { ...logLimits, ...limits }
  const onProblem = (problem: unknown): void => void problems.push(problem)
  const files = new LogFiles(folder, all, onProblem)
  logs = new InstanceLogs({ clock: systemClock, files, limits: all, directory: folder, onProblem })
  mkdirSync(files.folder('web'), { recursive: true })
  return { files, logs }
}

const texts = (lines: readonly LogLine[]): string[] => lines.map(({ text }) => text)

describe('reading lines from the end of a file', () => {
  const read = (content: string | Buffer): string[] => {
    const path = join(folder, 'file')
    writeFileSync(path, content)
    return [...linesFromEnd(path, join(folder, 'none'))].map(({ text }) => text).reverse()
  }

  it.each([
    ['', []],
    ['\n', ['']],
    ['one', ['one']],
    ['one\n', ['one']],
    ['one\ntwo', ['one', 'two']],
    ['one\r\ntwo\n', ['one', 'two']],
    ['\none\n\ntwo\n', ['', 'one', '', 'two']],
    ['\n\n', ['', '']],
  ])('%j', (content, lines) => {
    expect(read(content)).toEqual(lines)
  })

  it('goes through blocks of the file without losing or doubling anything', () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'ä'.repeat(i % 40)}`)
    expect(read(`${lines.join('\n')}\n`)).toEqual(lines)
  })

  it('gives endless lines in pieces, and bytes that are no text as such', () => {
    const pieces = read(`first\n${'x'.repeat(300_000)}`)
    expect(pieces[0]).toBe('first')
    expect(pieces.slice(1).join('')).toHaveLength(300_000)
    expect(read(Buffer.from([0xff, 0xfe, 0x0a]))).toEqual(['\ufffd\ufffd'])
  })
})

describe('the times of lines', () => {
  it('are those of the first look at or after their end', () => {
    const marks = [
      { offset: 10, time: 100 },
      { offset: 30, time: 200 },
    ]
    expect([1, 10, 11, 30, 31].map((end) => timeOf(marks, end, 999))).toEqual([100, 100, 200, 200, 999])
  })

  it('are kept in a file of bounded size, the latest exactly', () => {
    const path = join(folder, 'times')
    for (let i = 1; i <= 12_000; i++) appendMark(path, { offset: i * 100, time: 1_700_000_000_000 + i })
    expect(statSync(path).size).toBeLessThanOrEqual(64 * 1024)
    const marks = readMarks(path)
    expect(marks.at(-1)).toEqual({ offset: 1_200_000, time: 1_700_000_012_000 })
    expect(marks.every((mark, i) => i === 0 || mark.offset > (marks[i - 1]?.offset ?? 0))).toBe(true)
  })

  it('survive a torn last line', () => {
    const path = join(folder, 'times')
    writeFileSync(path, '10 100\n20 20')
    appendFileSync(path, '\nrubbish\n')
    expect(readMarks(path)).toEqual([
      { offset: 10, time: 100 },
      { offset: 20, time: 20 },
    ])
  })
})

describe('the output of a service', () => {
  it('is merged over instances and streams by time, filtered and cut to the last lines', async () => {
    const { files, logs } = open()
    logs.track('web', 'web-1')
    logs.track('web', 'web-2')
    logs.start()
    appendFileSync(files.path('web', 'web-1', 'stdout'), 'one\n')
    await eventually('it was seen', () => existsSync(files.timesPath('web', 'web-1', 'stdout')))
    await new Promise((resolve) => setTimeout(resolve, 50))
    appendFileSync(files.path('web', 'web-2', 'stderr'), 'two\nthree\n')
    expect(texts(logs.read('web', {}))).toEqual(['one', 'two', 'three'])
    expect(logs.read('web', {})[1]).toMatchObject({ service: 'web', instance: 'web-2', stream: 'stderr' })
    expect(texts(logs.read('web', { limit: 2 }))).toEqual(['two', 'three'])
    expect(texts(logs.read('web', { grep: 't', instance: 'web-2' }))).toEqual(['two', 'three'])
    expect(texts(logs.read('web', { instance: 'web-1' }))).toEqual(['one'])
    const between = (logs.read('web', {})[0]?.time ?? 0) + 1
    expect(texts(logs.read('web', { since: between }))).toEqual(['two', 'three'])
    expect(logs.read('shop', {})).toEqual([])
  })

  it('can be followed, line by line, also through a cut and without an end of line', async () => {
    const { files, logs } = open({ fileBytes: 1_000 })
    const path = files.path('web', 'web-1', 'stdout')
    writeFileSync(path, 'before\n')
    logs.track('web', 'web-1')
    logs.start()
    const seen: LogLine[] = []
    const following = logs.follow('web', { grep: 'line' }, (line) => seen.push(line))
    appendFileSync(path, 'line 1\nother\nline ')
    await eventually('the first line', () => seen.length === 1)
    appendFileSync(path, '2\n')
    await eventually('the second line', () => seen.length === 2)
    appendFileSync(path, `${'x'.repeat(2_000)}\n`)
    await eventually('it was cut', () => statSync(path).size === 0)
    appendFileSync(path, 'line 3')
    await eventually('the third line', () => seen.length === 3)
    following[Symbol.dispose]()
    appendFileSync(path, 'line 4\n')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(texts(seen)).toEqual(['line 1', 'line 2', 'line 3'])
    expect(texts(logs.read('web', {})).filter((text) => !text.startsWith('x'))).toEqual(['before', 'line 1', 'other', 'line 2', 'line 3line 4'])
  })

  it('is cut when it is large, keeps as many pieces as it may, and loses no line of a quiet writer', async () => {
    const { files, logs } = open({ fileBytes: 1_000, pieces: 2 })
    const path = files.path('web', 'web-1', 'stdout')
    logs.track('web', 'web-1')
    logs.start()
    for (let round = 1; round <= 4; round++) {
      appendFileSync(path, `${`round ${round} `.padEnd(99, '.')}\n`.repeat(11))
      await eventually(`cut ${round}`, () => statSync(path).size === 0)
    }
    expect([1, 2, 3].map((piece) => existsSync(files.path('web', 'web-1', 'stdout', piece)))).toEqual([true, true, false])
    expect(readFileSync(files.path('web', 'web-1', 'stdout', 1), 'utf8')).toContain('round 4')
    const lines = texts(logs.read('web', {}))
    expect(lines).toHaveLength(22)
    expect(lines.map((line) => Number(line.split(' ')[1]))).toEqual([...Array<number>(11).fill(3), ...Array<number>(11).fill(4)])
  })

  it('of instances that are gone is kept for the latest of them, and not for ever', () => {
    const { files } = open({ goneInstances: 2, goneFor: minutes(10) })
    const now = Date.now()
    const ages = { 'web-live': 60, 'web-a': 1, 'web-b': 2, 'web-c': 3 }
    for (const [id, age] of Object.entries(ages)) {
      const path = files.path('web', id, 'stdout')
      writeFileSync(path, id)
      writeFileSync(files.path('web', id, 'stdout', 1), id)
      utimesSync(path, now / 1000 - age * 60, now / 1000 - age * 60)
    }
    const isLive = (id: string): boolean => id === 'web-live'
    files.prune('web', isLive, wallTime(now))
    expect(files.instances('web').map(({ id }) => id)).toEqual(['web-a', 'web-b', 'web-live'])
    expect(existsSync(files.path('web', 'web-c', 'stdout', 1))).toBe(false)
    files.prune('web', isLive, wallTime(now + minutes(9.5)))
    expect(files.instances('web').map(({ id }) => id)).toEqual(['web-live'])
  })

  it('gives the last lines of stderr also when they were cut a moment ago', async () => {
    const { files } = open()
    writeFileSync(files.path('web', 'web-1', 'stderr'), 'one\ntwo\n')
    await files.cut('web', 'web-1', 'stderr', true)
    appendFileSync(files.path('web', 'web-1', 'stderr'), 'three\n')
    expect(files.stderrTail('web', 'web-1', 2)).toEqual(['two', 'three'])
    expect(files.stderrTail('web', 'web-1', 9)).toEqual(['one', 'two', 'three'])
    expect(files.stderrTail('web', 'web-9', 9)).toEqual([])
  })

  it('does not stop for a follower that throws', async () => {
    const { files, logs } = open()
    logs.track('web', 'web-1')
    logs.start()
    const seen: string[] = []
    logs.follow('web', {}, () => {
      throw new Error('gone')
    })
    logs.follow('web', {}, ({ text }) => seen.push(text))
    appendFileSync(files.path('web', 'web-1', 'stdout'), 'one\ntwo\n')
    await eventually('both lines', () => seen.length === 2)
    expect(problems.splice(0)).toHaveLength(1)
  })
})
