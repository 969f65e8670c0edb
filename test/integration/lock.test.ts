/** The lock of a data directory: of many that want it at the same instant, one gets it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockDataDirectory } from '../../src/app/lock.ts'

const takers = 5
const rounds = 24
const everyMs = 40
/** Above the largest pid there can be. */
const nobody = '{"pid":4194305,"startTicks":1}'

let folder: string
const children: ChildProcess[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Starts one and resolves with the rounds it has won. */
async function take(begin: number): Promise<readonly number[]> {
  const script = join(import.meta.dirname, 'lock-taking.ts')
  const env = { ...process.env, DATA: folder, BEGIN: String(begin), EVERY: String(everyMs), ROUNDS: String(rounds) }
  const child = spawn(process.execPath, ['--import', 'tsx', script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const lines = createInterface({ input: child.stdout })
  const [loaded] = (await once(lines, 'line')) as [string]
  expect([loaded, Date.now() < begin]).toEqual(['loaded', true])
  const [held] = (await once(lines, 'line')) as [string]
  return JSON.parse(held) as readonly number[]
}

const runFolder = (data: string): string => join(data, 'run')
const lockFile = (data: string): string => join(runFolder(data), 'control.lock')

function leave(data: string, file: string, content: string): void {
  mkdirSync(runFolder(data), { recursive: true })
  writeFileSync(join(runFolder(data), file), content)
}

describe('the lock of a data directory', () => {
  it('goes to exactly one of many, whether there was none, a stale one, or one whose breaking was cut off too', async () => {
    for (let round = 0; round < rounds; round++) {
      if (round % 3 > 0) leave(join(folder, String(round)), 'control.lock', nobody)
      if (round % 3 > 1) leave(join(folder, String(round)), 'control.lock.break', nobody)
    }
    const begin = Date.now() + 5_000
    const held = await Promise.all(Array.from({ length: takers }, () => take(begin)))
    expect(held.flat().toSorted((a, b) => a - b)).toEqual(Array.from({ length: rounds }, (_, round) => round))
    for (let round = 0; round < rounds; round++) {
      const winner = children[held.findIndex((won) => won.includes(round))]
      const data = join(folder, String(round))
      expect(JSON.parse(readFileSync(lockFile(data), 'utf8'))).toMatchObject({ pid: winner?.pid })
      expect(readdirSync(runFolder(data))).toEqual(['control.lock'])
    }
  })

  it('is refused while its owner lives, who is named, and given again when it was given back', async () => {
    const unlock = await lockDataDirectory(folder)
    await expect(lockDataDirectory(folder)).rejects.toMatchObject({
      code: 'already_running',
      message: expect.stringContaining(`pid ${process.pid}`) as string,
    })
    unlock()
    expect(readdirSync(runFolder(folder))).toEqual([])
    ;(await lockDataDirectory(folder))()
  })

  it('is left alone by a former owner when it names another one', async () => {
    const unlock = await lockDataDirectory(folder)
    leave(folder, 'control.lock', nobody)
    unlock()
    expect(readFileSync(lockFile(folder), 'utf8')).toBe(nobody)
  })
})
