/** A file that must be there, and how long ago it was last written. */
import { stat } from 'node:fs/promises'
import { codeOf } from '../../kernel/errors.ts'
import type { Probe } from '../types.ts'

export const fileProbe = (path: string, wallTime: () => number): Probe => ({
  async run() {
    try {
      const age = Math.max(0, wallTime() - (await stat(path)).mtimeMs)
      return { outcome: 'pass', message: `last changed ${Math.round(age / 1_000)} s ago`, value: Math.round(age), unit: 'ms' }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { outcome: 'fail', message: 'there is no such file' }
      throw error
    }
  },
})
