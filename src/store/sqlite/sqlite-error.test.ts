import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../kernel/errors.ts'
import { isCorrupt, needsReconnect, toHoldfastError } from './sqlite-error.ts'

const system = (code: string): Error => Object.assign(new Error(`${code}: no`), { code })
const sqlite = (errcode: number): Error => Object.assign(new Error('no'), { code: 'ERR_SQLITE_ERROR', errcode })

describe('the meaning of an error', () => {
  it.each([
    ['ENOSPC', system('ENOSPC'), 'disk_full', 'Make room'],
    ['EDQUOT', system('EDQUOT'), 'disk_full', 'quota'],
    ['SQLITE_FULL', sqlite(13), 'disk_full', 'Make room'],
    ['EROFS', system('EROFS'), 'store_unavailable', 'read-only'],
    ['EACCES', system('EACCES'), 'store_unavailable', 'Let the user'],
    ['EPERM', system('EPERM'), 'store_unavailable', 'Let the user'],
    ['SQLITE_READONLY', sqlite(8), 'store_unavailable', 'Let the user'],
    ['SQLITE_BUSY', sqlite(5), 'store_unavailable', 'other process'],
    ['SQLITE_BUSY_SNAPSHOT', sqlite(5 | (2 << 8)), 'store_unavailable', 'other process'],
    ['SQLITE_CORRUPT', sqlite(11), 'store_unavailable', 'sets the file aside'],
    ['SQLITE_CONSTRAINT_PRIMARYKEY', sqlite(19 | (6 << 8)), 'store_conflict', 'second control process'],
    ['SQLITE_IOERR_WRITE with room', sqlite(10 | (3 << 8)), 'store_unavailable', 'its disk works'],
    ['EIO', system('EIO'), 'store_unavailable', 'its disk works'],
    ['what nobody knows', new Error('odd'), 'store_unavailable', 'its disk works'],
  ])('%s', (_, cause, code, hint) => {
    const error = toHoldfastError('writing', '/tmp/state.db', cause)
    expect(error).toMatchObject({ code, hint: expect.stringContaining(hint) as string, cause })
    expect(error.message).toBe(`writing failed (/tmp/state.db): ${cause.message}`)
  })

  it('is not given twice', () => {
    const error = new HoldfastError('store_limit', 'x')
    expect(toHoldfastError('writing', '/tmp/x', error)).toBe(error)
  })

  it('knows a damaged file, which is set aside, from one that is only out of reach', () => {
    for (const code of [11, 11 | (1 << 8), 24, 26, 522]) expect(isCorrupt(sqlite(code))).toBe(true)
    for (const code of [5, 8, 10, 10 | (3 << 8), 13, 14]) expect(isCorrupt(sqlite(code))).toBe(false)
    expect(isCorrupt(system('EACCES'))).toBe(false)
  })

  it('knows it by its words where the driver gives no code', () => {
    const said = (text: string): Error => Object.assign(new Error(text), { code: 'ERR_SQLITE_ERROR' })
    expect(isCorrupt(said('database disk image is malformed'))).toBe(true)
    expect(isCorrupt(new Error('database disk image is malformed'))).toBe(false)
    expect(toHoldfastError('writing', '/tmp/x', said('database or disk is full'))).toMatchObject({ code: 'disk_full' })
  })

  it('replaces a connection whose file failed, not one whose disk is full', () => {
    for (const code of [8, 10, 14, 26]) expect(needsReconnect(sqlite(code))).toBe(true)
    for (const code of [5, 13, 19]) expect(needsReconnect(sqlite(code))).toBe(false)
    expect(needsReconnect(new Error('x'))).toBe(false)
  })
})
