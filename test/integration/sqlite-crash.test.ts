/** `kill -9` at any write leaves all of a transaction or nothing, and everything that was acknowledged. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Prng } from '../../src/kernel/random.ts'
import { systemClock } from '../../src/kernel/system.ts'
import { SqliteEventLog, SqliteStore, StateFile } from '../../src/store/index.ts'

const writer = join(import.meta.dirname, 'state-writer.ts')
const kills = 24

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-crash-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

interface Acknowledged {
  /** The highest number that the store acknowledged; -1 for none. */
  readonly n: number
  readonly seq: number
  readonly other: readonly string[]
}

/** Lets a writer work until it acknowledged something and `extraMs` more, then kills it. */
async function writeAndKill(first: number | 'begin', extraMs: number): Promise<Acknowledged> {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, directory, String(first)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const complaints: string[] = []
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()))
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const read: string[] = []
  const started = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      read.push(line)
      resolve()
    })
    child.on('exit', () => reject(new Error(`the writer ended by itself: ${complaints.join('')}`)))
  })
  const drained = once(lines, 'close')
  await started
  await wait(extraMs)
  child.kill('SIGKILL')
  await Promise.all([exited, drained])
  // The writer's lines are atomic writes to a pipe, but the last may have been cut by the kill.
  return {
    n: Math.max(-1, ...read.filter((line) => /^\d+$/.test(line)).map(Number)),
    seq: Math.max(0, ...read.filter((line) => line.startsWith('event ')).map((line) => Number(line.slice(6)))),
    other: read.filter((line) => !/^(event )?\d+$/.test(line)),
  }
}

async function readBack(): Promise<{ numbers: number[]; revision: number; lastSeq: number; setAside: string[] }> {
  const setAside: string[] = []
  const file = new StateFile({ directory, clock: systemClock, onSetAside: ({ reason }) => setAside.push(reason) })
  const store = new SqliteStore({ file })
  const events = new SqliteEventLog({ file })
  await store.start()
  await events.start()
  const entries = await store.list<{ n: number; filling: string }>('keys/')
  for (const { value } of entries) expect(value.filling).toHaveLength((value.n * 997) % 9_000)
  const { revision } = await store.commit({ writes: [] })
  const found = { numbers: entries.map(({ value }) => value.n), revision, lastSeq: events.lastSeq(), setAside }
  await events.stop()
  await store.stop()
  return found
}

describe('the sqlite store', () => {
  it(`loses nothing and keeps no half of anything when its process is killed ${kills} times`, { timeout: 180_000 }, async () => {
    const random = new Prng(20_261_121)
    let next = 0
    let transactions = 0
    for (let kill = 0; kill < kills; kill++) {
      const acknowledged = await writeAndKill(next, random.next() * 60)
      expect(acknowledged.other).toEqual([])
      const { numbers, revision, lastSeq, setAside } = await readBack()
      expect(setAside).toEqual([])
      expect(numbers).toHaveLength(5)
      expect(new Set(numbers).size, `all keys hold one number after kill ${kill}: ${numbers.join(' ')}`).toBe(1)
      const found = numbers[0] ?? -1
      expect(found).toBeGreaterThanOrEqual(acknowledged.n)
      expect(lastSeq).toBeGreaterThanOrEqual(acknowledged.seq)
      // Numbers are given out without gaps, so the revision counts what was ever committed.
      transactions += found - next + 1
      expect(revision).toBe(transactions)
      next = found + 1
    }
    expect(transactions).toBeGreaterThan(kills * 10)
    expect((await readdir(directory)).filter((name) => !/^state\.db(-wal|-shm)?$/.test(name))).toEqual([])
  })
  it('a file that was being made when its process was killed is there whole or not at all', { timeout: 120_000 }, async () => {
    const random = new Prng(7)
    let begun = 0
    for (let kill = 0; kill < 6; kill++) {
      const { n, other } = await writeAndKill('begin', random.next() * 100)
      expect(other).toEqual([])
      const made = (await readdir(directory)).map(Number).sort((a, b) => a - b)
      for (const name of made) {
        const onSetAside = ({ reason }: { reason: string }): void => expect.unreachable(reason)
        const store = new SqliteStore({ file: new StateFile({ directory: join(directory, String(name)), clock: systemClock, onSetAside }) })
        await store.start()
        if (name <= n) expect((await store.get('begun'))?.value).toBe(name)
        await store.stop()
      }
      begun += n + 1
      await rm(directory, { recursive: true })
      await mkdir(directory)
    }
    expect(begun).toBeGreaterThan(6)
  })
})
