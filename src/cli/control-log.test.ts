import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keepShort, openControlLog, tailOf } from './control-log.ts'

let directory: string
let file: string
const open: number[] = []

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'holdfast-control-log-'))
  file = path.join(directory, 'logs', 'control.log')
})

afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd)
  rmSync(directory, { recursive: true, force: true })
})

function begin(): { readonly fd: number; readonly offset: number } {
  const log = openControlLog(file)
  open.push(log.fd)
  return log
}

describe('control.log', () => {
  it('tells what this start said, not the one before it', () => {
    writeSync(begin().fd, 'error: of yesterday\n')
    const { fd, offset } = begin()
    writeSync(fd, 'one\n\ntwo\n')
    expect(tailOf({ file, offset })).toEqual(['one', 'two'])
    expect(statSync(file).mode & 0o077).toBe(0)
  })

  it('says which directory is to blame when it cannot be opened', () => {
    expect(() => openControlLog('/dev/null/logs/control.log')).toThrow(
      expect.objectContaining({ code: 'log_unwritable', message: 'opening /dev/null/logs/control.log failed' }) as Error,
    )
  })

  it('begins anew when it has grown too long while it is written, and keeps as much', () => {
    const { fd } = begin()
    const said = keepShort(file, fd, 500)
    for (let i = 1; i <= 250; i++) {
      writeSync(fd, `event ${i}\n`)
      said()
    }
    expect(readFileSync(`${file}.1`, 'utf8')).toMatch(/^event 101\n[^]*event 200\n$/)
    expect(readFileSync(file, 'utf8')).toMatch(/^event 201\n[^]*event 250\n$/)
  })

  it('leaves a file alone that somebody else has chosen for stdout', () => {
    begin()
    const other = path.join(directory, 'up.log')
    writeFileSync(other, '')
    const fd = openSync(other, 'a')
    open.push(fd)
    const said = keepShort(file, fd, 10)
    for (let i = 0; i < 200; i++) {
      appendFileSync(other, 'much more than ten\n')
      said()
    }
    expect(statSync(other).size).toBe(3_800)
  })
})
