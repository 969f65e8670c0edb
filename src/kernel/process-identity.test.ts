import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { startTicksOf, stateOf } from './process-identity.ts'

describe.runIf(process.platform === 'linux')('whether a process runs', () => {
  it('is so of one that runs, not of another one with its pid, nor of one that has ended', () => {
    const ticks = startTicksOf(process.pid) ?? NaN
    const { pid: ended } = spawnSync('true')
    expect([stateOf(process.pid, ticks), stateOf(process.pid, ticks - 1), stateOf(ended, ticks)]).toEqual(['runs', 'ends', 'ends'])
  })
})
