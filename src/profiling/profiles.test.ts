/** What becomes of the files of recordings: those of one that failed, of one that was cut off by the end of Holdfast, and of nobody. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { seconds } from '../kernel/time.ts'
import { Profiles } from './profiles.ts'
import type { ProfileInfo, ProfileOrder } from './types.ts'

let directory: string
let clock: VirtualClock
let ended: ProfileInfo[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-profiles-'))
  clock = new VirtualClock()
  ended = []
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const profiles = (instruct: (line: string) => void): Profiles =>
  new Profiles({
    clock,
    directory: join(directory, 'profiles'),
    socket: join(directory, 'p.sock'),
    instruct: (_instance, line) => {
      instruct(line)
      return Promise.resolve()
    },
    onEnded: (info) => ended.push(info),
    onError: (error) => {
      throw error
    },
  })

const request = { service: 'shop', instance: 'shop-1', kind: 'cpu', durationMs: 1_000, actor: 'alice' } as const
const files = (): string[] => readdirSync(join(directory, 'profiles')).toSorted()

describe('recordings', () => {
  it('that are cut off failed, and leave no file; a whole one is kept', async () => {
    const snapshot = `{"nodes":[${'1,'.repeat(10_000_000)}1],"strings":["a"]}\n`
    const texts = ['{"nodes":[', '{"nodes":[]}', snapshot, snapshot.slice(0, -20)]
    const subject = profiles((line) => {
      const { id, socket } = JSON.parse(line) as ProfileOrder
      const client = connect(socket, () => client.end(`${JSON.stringify({ id, pid: 1 })}\n${texts.shift() ?? ''}`))
    })
    await subject.start()
    for (let i = 1; i <= 4; i++) {
      await subject.take(request)
      await expect.poll(() => ended.length, { timeout: 20_000 }).toBe(i)
    }
    expect(ended.map(({ state, error }) => error ?? state)).toEqual([
      'the instance ended in the middle of its recording',
      'done',
      'done',
      'the instance ended in the middle of its recording',
    ])
    const [cut = '', small = '', large = '', half = ''] = ended.map(({ id }) => id)
    const left = [`${cut}.json`, `${small}.cpuprofile`, `${small}.json`, `${large}.cpuprofile`, `${large}.json`, `${half}.json`]
    await expect.poll(files, { timeout: 9_000 }).toEqual(left.toSorted())
    subject.stop()
  })

  it('of which nothing is known any more, or that were cut off, are cleaned away at the start', async () => {
    const first = profiles(() => undefined)
    await first.start()
    first.stop()
    const at = (name: string): string => join(directory, 'profiles', name)
    const info = { ...request, id: 'A1', pid: 1, state: 'running', startedAt: clock.wallTime(), bytes: 0, error: undefined }
    writeFileSync(at('A1.json'), JSON.stringify(info))
    writeFileSync(at('A1.cpuprofile'), 'half of it')
    writeFileSync(at('B2.json'), JSON.stringify({ ...info, id: 'B2', state: 'done', bytes: 3 }))
    writeFileSync(at('B2.cpuprofile'), '{}')
    writeFileSync(at('C3.heapsnapshot'), 'of nobody')
    const second = profiles(() => undefined)
    await second.start()
    expect(files()).toEqual(['A1.json', 'B2.cpuprofile', 'B2.json'])
    expect(second.get('A1')).toMatchObject({ state: 'failed', error: 'holdfast was stopped meanwhile' })
    second.stop()
  })

  it('of one that does not begin say how it can be looked at from outside', async () => {
    const subject = profiles(() => undefined)
    await subject.start()
    const taken = subject.take({ ...request, processId: 4711 })
    const failed = expect(taken).rejects.toMatchObject({
      code: 'profile_failed',
      message: expect.stringContaining('its event loop is blocked') as string,
      hint: expect.stringContaining('node inspect -p 4711') as string,
    })
    await clock.advance(seconds(11))
    await failed
    expect([subject.list(), existsSync(join(directory, 'profiles'))]).toEqual([[], true])
    subject.stop()
  })
})
