import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readServerSentEvents, type ServerSentEvent } from './sse.ts'

async function read(...chunks: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* chunks
  }
  const events: ServerSentEvent[] = []
  for await (const event of readServerSentEvents(body())) events.push(event)
  return events
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('readServerSentEvents', () => {
  it('reads ids, kinds and data of several lines; skips comments and what it does not know', async () => {
    const text = ': hello\nretry: 2000\n\nid: 7\ndata: a\ndata:b\n\nevent: gap\ndata: {}\n\ndata\n\n'
    expect(await read(bytes(text))).toEqual([
      { id: '7', event: 'message', data: 'a\nb' },
      { id: '7', event: 'gap', data: '{}' },
      { id: '7', event: 'message', data: '' },
    ])
  })

  it('leaves out an event that was cut off', async () => {
    expect(await read(bytes('data: whole\n\ndata: half'))).toEqual([{ id: undefined, event: 'message', data: 'whole' }])
  })

  it('gives the same events however the bytes are cut and the lines are ended', async () => {
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', ' ', ':', 'ü', '😀', '{') }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(texts, fc.constantFrom('\n', '\r\n', '\r'), fc.array(fc.nat(200), { maxLength: 20 }), async (data, end, cuts) => {
        const whole = bytes([...data.map((line, i) => `id: ${i}${end}data: ${line}${end}${end}`), `: end${end}`].join(''))
        const at = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length]
        const chunks = at.slice(1).map((to, i) => whole.subarray(at[i], to))
        expect((await read(...chunks)).map((event) => event.data)).toEqual(data)
      }),
    )
  })

  it('refuses a line without end', async () => {
    await expect(read(...Array.from({ length: 5 }, () => Buffer.alloc(1_048_576, 'x')))).rejects.toThrow('longer than')
  })
})
