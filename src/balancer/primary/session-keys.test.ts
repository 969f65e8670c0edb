import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SessionKeys } from './session-keys.ts'

const week = 7 * 24 * 60 * 60 * 1_000
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-keys-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const bytes = (keys: SessionKeys): Buffer => Buffer.from(keys.keys, 'base64')
const file = (): string => join(directory, 'session-keys')

describe('the keys of sessions', () => {
  it('are found by the next proxy, and by nobody else on the machine', async () => {
    const first = new SessionKeys(directory, 0)
    await first.saved
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(new SessionKeys(directory, statSync(file()).mtimeMs).keys).toBe(first.keys)
  })

  it('are replaced once a week, and count for one more', async () => {
    const keys = new SessionKeys(directory, 0)
    const before = bytes(keys)
    expect(keys.rotate(week - 1)).toBe(false)
    expect(keys.rotate(week)).toBe(true)
    expect(bytes(keys)).toHaveLength(64)
    expect(bytes(keys).subarray(32)).toEqual(before)
    const second = bytes(keys).subarray(0, 32)
    expect(keys.rotate(2 * week)).toBe(true)
    expect(bytes(keys).subarray(32)).toEqual(second)
    await keys.saved
  })

  it('that are too old, or no keys, are not taken up', async () => {
    const first = new SessionKeys(directory, 0)
    await first.saved
    utimesSync(file(), 1, 1)
    const later = new SessionKeys(directory, 3 * week)
    await later.saved
    expect(bytes(later)).toHaveLength(32)
    expect(later.keys).not.toBe(first.keys)
    writeFileSync(file(), 'short')
    const other = new SessionKeys(directory, 3 * week)
    await other.saved
    expect(bytes(other)).toHaveLength(32)
  })
})
