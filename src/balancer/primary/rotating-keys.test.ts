import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cookieKeys, RotatingKeys, ticketKeys } from './rotating-keys.ts'

const week = 7 * 24 * 60 * 60 * 1_000
let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-keys-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const bytes = (keys: RotatingKeys): Buffer => Buffer.from(keys.keys, 'base64')
const file = (): string => join(directory, 'session-keys')

describe('the keys of session cookies', () => {
  it('are found by the next proxy, and by nobody else on the machine', async () => {
    const first = new RotatingKeys(cookieKeys, directory, 0)
    await first.saved
    expect(statSync(file()).mode & 0o777).toBe(0o600)
    expect(new RotatingKeys(cookieKeys, directory, statSync(file()).mtimeMs).keys).toBe(first.keys)
  })

  it('are replaced once a week, and count for one more', async () => {
    const keys = new RotatingKeys(cookieKeys, directory, 0)
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
    const first = new RotatingKeys(cookieKeys, directory, 0)
    await first.saved
    utimesSync(file(), 1, 1)
    const later = new RotatingKeys(cookieKeys, directory, 3 * week)
    await later.saved
    expect(bytes(later)).toHaveLength(32)
    expect(later.keys).not.toBe(first.keys)
    writeFileSync(file(), 'short')
    const other = new RotatingKeys(cookieKeys, directory, 3 * week)
    await other.saved
    expect(bytes(other)).toHaveLength(32)
  })
})

describe('the keys of session tickets', () => {
  const day = week / 7
  const ticketFile = (): string => join(directory, 'tls-tickets')

  it('are replaced once a day, and the ones before count for nothing', async () => {
    const keys = new RotatingKeys(ticketKeys, directory, 0)
    const before = bytes(keys)
    expect(before).toHaveLength(48)
    expect(keys.rotate(day - 1)).toBe(false)
    expect(keys.rotate(day)).toBe(true)
    expect(bytes(keys)).toHaveLength(48)
    expect(bytes(keys)).not.toEqual(before)
    await keys.saved
  })

  it('are taken up by the next proxy while they are young, and only then', async () => {
    const first = new RotatingKeys(ticketKeys, directory, 0)
    await first.saved
    const { mtimeMs } = statSync(ticketFile())
    expect(new RotatingKeys(ticketKeys, directory, mtimeMs + day - 1).keys).toBe(first.keys)
    const later = new RotatingKeys(ticketKeys, directory, mtimeMs + day)
    await later.saved
    expect(later.keys).not.toBe(first.keys)
    writeFileSync(ticketFile(), Buffer.alloc(96))
    const other = new RotatingKeys(ticketKeys, directory, 0)
    await other.saved
    expect(bytes(other)).toHaveLength(48)
  })
})
