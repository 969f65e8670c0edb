import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Replay, replayBytesMax } from './replay.ts'

describe('the replay of a body', () => {
  it('is what was added, in order, also when it is asked for in between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20_000 })), fc.boolean()), { maxLength: 40 }),
        (pieces) => {
          const replay = new Replay()
          const expected: Buffer[] = []
          pieces.forEach(([bytes, ask], index) => {
            const source = Buffer.alloc(bytes + 4, index)
            replay.add(source, 2, 2 + bytes)
            expected.push(Buffer.alloc(bytes, index))
            if (ask) expect(Buffer.concat(replay.pieces()).equals(Buffer.concat(expected))).toBe(true)
          })
          expect(Buffer.concat(replay.pieces()).equals(Buffer.concat(expected))).toBe(true)
          expect(replay).toMatchObject({ whole: true, bytes: Buffer.concat(expected).length })
        },
      ),
      { numRuns: 200 },
    )
  })

  it('of single bytes takes few objects', () => {
    const replay = new Replay()
    for (let i = 0; i < 100_000; i++) replay.add(Buffer.from('x'), 0, 1)
    expect(replay.pieces().length).toBeLessThan(10)
  })

  it('ends above its limit, and begins anew', () => {
    const replay = new Replay()
    const half = Buffer.alloc(replayBytesMax / 2)
    replay.add(half, 0, half.length)
    replay.add(half, 0, half.length)
    expect(replay).toMatchObject({ whole: true, bytes: replayBytesMax })
    replay.add(half, 0, 1)
    expect(replay).toMatchObject({ whole: false, bytes: 0 })
    replay.add(half, 0, 1)
    expect(replay.pieces()).toEqual([])
    replay.reset()
    replay.add(Buffer.from('again'), 0, 5)
    expect(Buffer.concat(replay.pieces()).toString()).toBe('again')
    expect(replay.whole).toBe(true)
  })
})
