import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { Gcra } from '../../resilience/core/rate.ts'
import { rateLevelsFile } from '../paths.ts'
import { giveLevels, RateLevelsFile, takeLevels } from './rate-levels.ts'

const perMinute = { rate: 6, periodMs: 60_000, burst: 3 }

it('what was used up is used up for the next one too, less the time between', () => {
  const table = new Gcra(perMinute)
  for (let i = 0; i < 3; i++) table.take('a', 1_000)
  table.take('b', 1_000)
  const levels = takeLevels(new Map([['api', table]]), 1_500, 500_000)
  expect(levels.levels.toSorted()).toEqual([
    ['api', 'a', 29_500],
    ['api', 'b', 9_500],
  ])
  const heir = new Gcra(perMinute)
  giveLevels(levels, 'api', heir, 40, 503_000)
  expect(heir.take('a', 40)).toMatchObject({ allowed: false, retryAfterMs: 6_500 })
  expect(heir.take('b', 40)).toMatchObject({ allowed: true, remaining: 1 })
  expect(heir.take('c', 40)).toMatchObject({ allowed: true, remaining: 2 })
  giveLevels(levels, 'other', heir, 40, 503_000)
  expect(heir.take('c', 40)).toMatchObject({ allowed: true, remaining: 1 })
})

it('what is soon full again is not worth telling, and nobody gets below nothing', () => {
  const table = new Gcra({ rate: 100, periodMs: 1_000, burst: 90 })
  for (let i = 0; i < 90; i++) table.take('a', 0)
  expect(takeLevels(new Map([['api', table]]), 0, 0).levels).toEqual([])
  const smaller = new Gcra(perMinute)
  giveLevels({ at: 0, levels: [['api', 'a', 3_600_000]] }, 'api', smaller, 0, 0)
  expect(smaller.take('a', 0)).toMatchObject({ allowed: false, retryAfterMs: 10_000 })
})

it('a file that is ruined is as none, and said', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-levels-'))
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  try {
    const file = new RateLevelsFile(directory)
    expect(file.load()).toBeUndefined()
    expect(said).not.toHaveBeenCalled()
    mkdirSync(dirname(rateLevelsFile(directory)), { recursive: true })
    const ruined = [
      '',
      '{"at":1,',
      'null',
      '{}',
      '{"at":1,"levels":{}}',
      '{"at":null,"levels":[]}',
      '{"at":1,"levels":[["api","a","5"]]}',
      '{"at":1,"levels":[["api","a"]]}',
    ]
    for (const text of ruined) {
      writeFileSync(rateLevelsFile(directory), text)
      expect(file.load(), text).toBeUndefined()
    }
    expect(said).toHaveBeenCalledTimes(ruined.length)
    writeFileSync(rateLevelsFile(directory), '{"at":1,"levels":[["api","a",5]]}')
    expect(file.load()).toEqual({ at: 1, levels: [['api', 'a', 5]] })
  } finally {
    said.mockRestore()
    rmSync(directory, { recursive: true })
  }
})
