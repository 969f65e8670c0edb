import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame, type FrameKind } from '../core/frame.ts'
import { Bus, deafMs } from './bus.ts'

/** A listener that notes what it hears. */
function ear(): { readonly heard: string[]; readonly bus: Bus } {
  const heard: string[] = []
  const bus = new Bus(() => heard.push(bus.hearing ? 'hearing' : 'deaf'))
  bus.listen({
    keysChanged: (keys, at) => heard.push(`keys ${keys.join()} ${at}`),
    tagsInvalidated: (tags, at) => heard.push(`tags ${tags.join()} ${at}`),
    allInvalidated: (at) => heard.push(`all ${at}`),
    missed: () => heard.push('missed'),
  })
  return { heard, bus }
}

describe('the bus', () => {
  it('misses a message that was lost, and none that its sender could not send', () => {
    const sender = new Bus(() => undefined)
    const { heard, bus } = ear()
    const frames = Array.from({ length: 3 }, (_, i) => sender.frame('keys', i, [`k${i}`]))
    const [first, lost, late] = frames.map((frame) => encodeFrame(frame))
    bus.hear(first!, 0)
    bus.hear(late!, 0)
    expect(heard.splice(0)).toEqual(['keys k0 0', 'missed', 'keys k2 2'])
    bus.hear(lost!, 0)
    expect(heard.splice(0)).toEqual(['missed', 'keys k1 1'])
    bus.hear(encodeFrame(sender.frame('tags', 4, ['t'])), 0)
    heard.length = 0

    const unsent = [sender.frame('keys', 5, ['k5']), sender.frame('keys', 6, ['k6'])]
    for (const frame of unsent) sender.sent(frame, false)
    const next = sender.frame('all', 7)
    expect(next.unsent).toEqual(unsent.map(({ number }) => number))
    sender.sent(next, true)
    const after = sender.frame('keys', 8, ['k8'])
    expect(after.unsent).toEqual([])
    bus.hear(encodeFrame(sender.frame('keys', 9, ['k9'])), 0)
    expect(heard.splice(0)).toContain('missed')
    const other = ear()
    other.bus.hear(encodeFrame({ ...next, number: unsent[0]!.number - 1, unsent: [] }), 0)
    other.bus.hear(encodeFrame(next), 0)
    other.bus.hear(encodeFrame(after), 0)
    expect(other.heard).toEqual(['all 7', 'all 7', 'keys k8 8'])
  })

  it('is deaf when its own beat does not come back, and has missed something when it does again', () => {
    const { heard, bus } = ear()
    bus.hear(bus.beat(0), 0)
    bus.check(deafMs - 1)
    expect(heard.splice(0)).toEqual(['missed', 'hearing'])
    bus.check(deafMs)
    bus.hear(new Bus(() => undefined).beat(0), deafMs)
    bus.hear(Buffer.from('of another program'), deafMs)
    expect(heard.splice(0)).toEqual(['deaf'])
    bus.hear(bus.beat(0), deafMs + 1)
    expect(heard).toEqual(['missed', 'hearing'])
  })

  it('understands what it says', () => {
    const number = fc.nat()
    const frame = fc.record({
      kind: fc.constantFrom<FrameKind>('keys', 'tags', 'all', 'beat'),
      sender: fc.stringMatching(/^[0-9a-f]{16}$/),
      number,
      unsent: fc.array(number, { maxLength: 255 }),
      at: fc.double({ noNaN: true }),
      names: fc.array(fc.string({ unit: 'grapheme' })),
    })
    fc.assert(
      fc.property(frame, (said) => {
        expect(decodeFrame(encodeFrame(said))).toEqual(said)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeFrame(Buffer.from(bytes))))
  })
})
