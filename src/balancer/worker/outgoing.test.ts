import { describe, expect, it } from 'vitest'
import type { Socket } from 'node:net'
import { Outgoing, joinBytesMax } from './outgoing.ts'
import { Slab } from './slab.ts'
import type { Upstream } from './upstream.ts'

/** A receiver that takes what it is told to, and the connection the bytes were read from. */
function bench(answer: { readonly more: boolean; readonly pending: number }): { readonly out: Outgoing; readonly told: string[] } {
  const told: string[] = []
  const socket = { destroyed: false, writableLength: answer.pending, write: () => answer.more } as unknown as Socket
  const source = { keepBuffer: () => told.push('keep'), pinBuffer: () => told.push('pin') } as unknown as Upstream
  const slab = new Slab()
  const out = new Outgoing(slab)
  out.begin(socket, slab.at, source)
  return { out, told }
}

describe('a large piece', () => {
  const piece = Buffer.alloc(joinBytesMax + 1)
  it.each([
    { name: 'that the socket took leaves its buffer free', more: true, pending: 0, told: [] },
    { name: 'of which a rest waits while reading goes on keeps its buffer', more: true, pending: 100, told: ['keep'] },
    { name: 'of which a rest waits while reading pauses pins its buffer', more: false, pending: 200_000, told: ['pin'] },
  ])('$name', ({ more, pending, told }) => {
    const { out, told: was } = bench({ more, pending })
    out.add(piece, 0, piece.length)
    expect(out.flush()).toBe(more)
    expect(was).toEqual(told)
  })
})
