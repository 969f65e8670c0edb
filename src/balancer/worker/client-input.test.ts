import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { ClientInput, InputBlocks } from './client-input.ts'

const input = (): ClientInput => new ClientInput(new InputBlocks(), (bytes) => Buffer.alloc(bytes))

describe('the input of a client', () => {
  it('gives what was put in, in order, however it came and was taken', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.uint8Array({ minLength: 1, maxLength: 5_000 }), shared: fc.boolean(), take: fc.nat(6_000) }), {
          maxLength: 20,
        }),
        (reads) => {
          const shared = Buffer.alloc(8 * 1024)
          const it = input()
          let given = Buffer.alloc(0)
          const taken: Buffer[] = []
          for (const { bytes, shared: isShared, take } of reads) {
            const buffer = isShared ? shared : Buffer.from(bytes)
            shared.fill(0xee)
            buffer.set(bytes)
            it.add(buffer, bytes.length, isShared)
            given = Buffer.concat([given, bytes])
            // What is shared is written over after the call.
            shared.fill(0xee)
            const used = Math.min(take, it.length)
            taken.push(Buffer.from(it.rest.subarray(0, used)))
            it.start += used
            it.requestOver()
          }
          expect(Buffer.concat([...taken, it.rest]).equals(given)).toBe(true)
        },
      ),
    )
  })

  it('leaves bytes alone that a request under way still refers to', () => {
    const it = input()
    const head = Buffer.from('GET / HTTP/1.1\r\n\r\n')
    it.add(head, head.length, true)
    const source = it.bytes
    it.start = it.end
    it.add(Buffer.from('more'), 4, true)
    expect(source.subarray(0, head.length).toString()).toBe(head.toString())
  })

  it('uses the block of a request that is over again', () => {
    const blocks = new InputBlocks()
    const one = new ClientInput(blocks, Buffer.alloc)
    one.add(Buffer.from('abc'), 3, true)
    const block = one.bytes
    one.start = 3
    one.requestOver()
    expect(blocks.take()).toBe(block)
  })

  it('does not give a block back that it has handed over', () => {
    const blocks = new InputBlocks()
    const one = new ClientInput(blocks, Buffer.alloc)
    one.add(Buffer.from('abc'), 3, true)
    const block = one.bytes
    one.clear()
    one.requestOver()
    expect(blocks.take()).not.toBe(block)
  })
})
