import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LogLine } from '../app/operations.ts'
import { LogResume } from './log-resume.ts'

const line = (time: number, text: string): LogLine => ({ time, service: 'shop', instance: 'shop-1', stream: 'stdout', text })

describe('LogResume', () => {
  it('shows every line once, wherever the connection is lost, as long as lines come in the order of time', () => {
    const history = fc.array(fc.tuple(fc.constantFrom(0, 0.25, 0.5, 1, 3), fc.constantFrom('a', 'b')), { maxLength: 30 })
    fc.assert(
      fc.property(history, fc.array(fc.nat(30), { maxLength: 4 }), (steps, losses) => {
        let time = 1_000
        const written = steps.map(([later, text]) => line((time += later), text))
        const resume = new LogResume()
        const shown: LogLine[] = []
        for (const lostAfter of [...losses.sort((a, b) => a - b), Infinity]) {
          resume.reconnected()
          const { since } = resume
          expect(since === undefined || Number.isInteger(since)).toBe(true)
          const sent = written.filter((each, i) => (since === undefined || each.time >= since) && i < lostAfter)
          for (const each of sent) if (resume.isNew(each)) shown.push(each)
        }
        expect(shown).toEqual(written)
      }),
    )
  })
})
