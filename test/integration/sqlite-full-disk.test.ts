/** A disk that is really full, on a small file system of its own. Needs a kernel that lets us mount one. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const inNamespace = ['-Urm'] as const
const canMount = spawnSync('unshare', [...inNamespace, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
// Elsewhere the same promises are tested with a limit on the file's size (sqlite-file.test.ts).
if (!canMount) console.log('skipped: the store on a full disk (this system lets nobody mount a file system: unshare -Urm)')

interface Report {
  readonly startWhenFull: string
  readonly refusedCodes: string[]
  readonly refused: number
  readonly acknowledged: string[]
  readonly readWhenFull: string[]
  readonly heard: number
  readonly eventsWhenFull: number
  readonly unlogged: number
  readonly logErrors: string[]
  readonly putAfter: string
  readonly restartWhenFull: string
  readonly readAfter: string[]
  readonly logged: number
  readonly setAside: string[]
}

function run(): Report {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-full-'))
  try {
    const script = join(import.meta.dirname, 'full-disk.ts')
    return JSON.parse(
      execFileSync('unshare', [...inNamespace, process.execPath, '--import', 'tsx', script, directory], { encoding: 'utf8' }),
    ) as Report
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe.runIf(canMount)('a full disk', () => {
  const report = canMount ? run() : undefined

  it('refuses to begin, and to write, with the code disk_full', () => {
    expect(report).toMatchObject({ startWhenFull: 'disk_full', refusedCodes: ['disk_full'], logErrors: ['disk_full'] })
    expect(report?.refused).toBeGreaterThan(250)
  })

  it('loses nothing that was acknowledged, and can be read', () => {
    expect(report?.readWhenFull).toEqual(report?.acknowledged)
    expect(report?.setAside).toEqual([])
  })

  it('keeps no event from its listeners, nor from who asks', () => {
    expect(report).toMatchObject({ heard: 302, eventsWhenFull: 301 })
    expect(report?.unlogged).toBeGreaterThan(250)
  })

  it('that has room again is written without a restart, the events of meanwhile too', () => {
    expect(report).toMatchObject({ putAfter: 'resolved', logged: 302 })
    expect(report?.readAfter).toEqual([...(report?.acknowledged ?? []), 'after'].sort())
  })

  it('does not keep a process from taking over what a dead one left', () => {
    expect(report?.restartWhenFull).toBe('resolved')
  })
})
