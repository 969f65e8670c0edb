import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFrame, frameBytesMax, FrameReader, type WorkerFrame } from './frames.ts'

const frame = fc.record({
  message: fc.record({ t: fc.constant('drop' as const), key: fc.string({ unit: 'grapheme' }) }),
  head: fc.uint8Array({ maxLength: 50 }),
  body: fc.uint8Array({ maxLength: 300 }),
})

describe('frames', () => {
  it('come out as they went in, however they are cut on their way', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 10 }), fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }), (frames, cuts) => {
        const bytes = Buffer.concat(frames.flatMap(({ message, head, body }) => encodeFrame(message, Buffer.from(head), Buffer.from(body))))
        const read: unknown[] = []
        const reader = new FrameReader<WorkerFrame>((message, head, body) =>
          read.push({ message, head: new Uint8Array(head), body: new Uint8Array(body) }),
        )
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length]!
          reader.feed(bytes.subarray(at, end))
          at = end
        }
        expect(read).toEqual(frames)
      }),
    )
  })

  it('keep nothing else alive', () => {
    const slab = Buffer.concat([...encodeFrame({ t: 'drop', key: 'k' }, undefined, Buffer.from('body')), Buffer.alloc(100_000)])
    let kept: Buffer | undefined
    const reader = new FrameReader<WorkerFrame>((_message, _head, body) => {
      kept = body
    })
    reader.feed(slab.subarray(0, slab.length - 100_000))
    expect(kept!.buffer.byteLength).toBeLessThan(200)
  })

  it.each([3, frameBytesMax + 1])('of %d bytes are none', (length) => {
    const bytes = Buffer.alloc(12)
    bytes.writeUInt32BE(length)
    expect(() => {
      new FrameReader(() => undefined).feed(bytes)
    }).toThrow(`a frame of ${length} bytes`)
  })
})
