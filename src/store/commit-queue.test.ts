import { describe, expect, it } from 'vitest'
import { codeOf, HoldfastError } from '../kernel/errors.ts'
import { batchMax, CommitQueue, pendingMax } from './commit-queue.ts'
import type { PreparedTransaction } from './core/transaction.ts'

const transaction = (bytes: number): PreparedTransaction => ({ compare: [], writes: [{ key: 'k', json: '1', bytes }] })
const bytesOf = (batch: readonly PreparedTransaction[]): number => batch.reduce((sum, { writes }) => sum + (writes[0]?.bytes ?? 0), 0)

/** A queue in front of a disk with room for `room` bytes in one batch. */
function makeQueue(room = Infinity, code = 'disk_full') {
  const batches: number[] = []
  let revision = 0
  const queue = new CommitQueue((batch) => {
    batches.push(batch.length)
    if (bytesOf(batch) > room) throw new HoldfastError(code, 'no')
    return batch.map(() => ({ succeeded: true, revision: ++revision }))
  })
  return { queue, batches }
}

describe('the queue of commits', () => {
  it('carries out together what is handed in together, in order', async () => {
    const { queue, batches } = makeQueue()
    const results = await Promise.all([1, 2, 3].map((n) => queue.push(transaction(n))))
    expect(results.map(({ revision }) => revision)).toEqual([1, 2, 3])
    expect(batches).toEqual([3])
  })

  it('gives way between batches, and is idle when all is done', async () => {
    const { queue, batches } = makeQueue()
    const all = Promise.all(Array.from({ length: batchMax * 2 + 1 }, () => queue.push(transaction(1))))
    await Promise.resolve()
    expect(batches).toEqual([batchMax])
    await queue.idle()
    expect(batches).toEqual([batchMax, batchMax, 1])
    expect((await all).at(-1)?.revision).toBe(batchMax * 2 + 1)
    await queue.idle()
  })

  it('on a full disk tries each alone, so that what fits gets through', async () => {
    const { queue, batches } = makeQueue(10)
    const settled = await Promise.allSettled([5, 50, 6].map((n) => queue.push(transaction(n))))
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(batches).toEqual([3, 1, 1, 1])
  })

  it('on any other error fails the batch at once, and takes the next', async () => {
    const { queue, batches } = makeQueue(10, 'store_unavailable')
    const settled = await Promise.allSettled([5, 50].map((n) => queue.push(transaction(n))))
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(batches).toEqual([2])
    expect((await queue.push(transaction(1))).succeeded).toBe(true)
  })

  it('refuses more than it promised to hold', async () => {
    const { queue } = makeQueue()
    const pushed = Array.from({ length: pendingMax + 1 }, () => queue.push(transaction(1)).catch(codeOf))
    expect(await pushed.at(-1)).toBe('store_limit')
    expect(await pushed.at(-2)).toMatchObject({ revision: pendingMax })
  })
})
