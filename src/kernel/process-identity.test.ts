import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { startTicksOf, surelyLives } from './process-identity.ts'

describe.runIf(process.platform === 'linux')('whether a process surely lives', () => {
  it('is so of one that runs, not of another one with its pid, nor of one that has ended', () => {
    const ticks = startTicksOf(process.pid) ?? NaN
    const { pid: ended } = spawnSync('true')
    expect([surelyLives(process.pid, ticks), surelyLives(process.pid, ticks - 1), surelyLives(ended, ticks)]).toEqual([true, false, false])
  })
})
