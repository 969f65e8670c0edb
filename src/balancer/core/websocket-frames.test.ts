import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameBoundary } from './websocket-frames.ts'

/** A frame of RFC 6455 §5.2. */
function frame(payload: number, masked: boolean, wide = false): Buffer {
  const mask = masked ? 0x80 : 0
  const head =
    payload > 65_535 || wide
      ? [0x82, mask | 127, 0, 0, 0, 0, (payload >>> 24) & 255, (payload >>> 16) & 255, (payload >>> 8) & 255, payload & 255]
      : payload > 125
        ? [0x82, mask | 126, payload >> 8, payload & 255]
        : [0x81, mask | payload]
  // The payload looks like headers, so that a lost count shows.
  return Buffer.concat([Buffer.from(head), Buffer.alloc(masked ? 4 : 0, 0xff), Buffer.alloc(payload, 0x85)])
}

const kinds = fc.record({ payload: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 127, 65_535, 65_536)), masked: fc.boolean(), wide: fc.boolean() })

describe('frame boundaries', () => {
  it('are found in any split of any frames', () => {
    fc.assert(
      fc.property(fc.array(kinds, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(70_000), { maxLength: 5 }), (frames, cuts) => {
        const pieces = frames.map(({ payload, masked, wide }) => frame(payload, masked, wide))
        const all = Buffer.concat(pieces)
        const ends = new Set<number>([0])
        let end = 0
        for (const piece of pieces) ends.add((end += piece.length))
        const boundary = new FrameBoundary()
        let from = 0
        for (const cut of [...cuts.map((each) => each % (all.length + 1)), all.length].sort((a, b) => a - b)) {
          boundary.feed(all.subarray(from, cut), cut - from)
          from = cut
          expect(boundary.atBoundary).toBe(ends.has(cut))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('the first of them is where something can be put in between', () => {
    const boundary = new FrameBoundary()
    const all = Buffer.concat([frame(10, true), frame(3, false)])
    expect(boundary.firstBoundary(all, all.length)).toBe(0)
    boundary.feed(all, 5)
    const rest = all.subarray(5)
    expect(boundary.firstBoundary(rest, rest.length)).toBe(frame(10, true).length - 5)
    const inside = new FrameBoundary()
    inside.feed(all, 1)
    expect(inside.firstBoundary(all.subarray(1, 8), 7)).toBeUndefined()
    expect(inside.atBoundary).toBe(false)
  })

  it('an empty frame is one', () => {
    const boundary = new FrameBoundary()
    boundary.feed(frame(0, false), 2)
    expect(boundary.atBoundary).toBe(true)
    boundary.feed(frame(0, true), 6)
    expect(boundary.atBoundary).toBe(true)
  })
})
