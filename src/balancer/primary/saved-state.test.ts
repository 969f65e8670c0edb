import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { viewFile } from '../paths.ts'
import { loadState, saveState, type SavedState } from './saved-state.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-state-'))
  mkdirSync(dirname(viewFile(directory)), { recursive: true })
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true, force: true })
})

const state: SavedState = { workers: 2, pseudonym: 'holdfast-1', view: { version: 7, listeners: [], services: [] }, isolated: ['api'], ejected: [] }

it('comes back as it was', async () => {
  await saveState(directory, state)
  expect(loadState(directory)).toMatchObject(state)
})

it('is not used where it is ruined or of another release, and that is told', async () => {
  await saveState(directory, state)
  const whole = JSON.parse(readFileSync(viewFile(directory), 'utf8')) as Record<string, unknown>
  const ruined = [
    'null',
    '[]',
    '{',
    '',
    ...[
      { protocol: 0 },
      { workers: 'two' },
      { pseudonym: undefined },
      { view: 5 },
      { view: { version: 7, services: [] } },
      { isolated: [1] },
      { breakers: {} },
      { quarantined: [null] },
    ].map((change) => JSON.stringify({ ...whole, ...change })),
  ]
  for (const text of ruined) {
    writeFileSync(viewFile(directory), text)
    expect([text, loadState(directory)]).toEqual([text, undefined])
  }
  expect(process.stderr.write).toHaveBeenCalledTimes(ruined.length)
})
