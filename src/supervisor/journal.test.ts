import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../kernel/testing/virtual-clock.ts'
import { seconds } from '../kernel/time.ts'
import type { StateStore, Transaction } from '../store/port.ts'
import { Journal } from './journal.ts'

/** Commits when the test lets it, or fails. */
function storeOf(commit: (transaction: Transaction) => Promise<void>): { store: StateStore; committed: unknown[] } {
  const committed: unknown[] = []
  const store = {
    commit: async (transaction: Transaction) => {
      await commit(transaction)
      committed.push(transaction.writes)
      return { succeeded: true, revision: committed.length }
    },
  }
  return { store: store as unknown as StateStore, committed }
}

describe('the journal', () => {
  it('writes the latest value of each key, one transaction at a time', async () => {
    let open = (): void => undefined
    const { store, committed } = storeOf(() => new Promise((resolve) => (open = resolve)))
    const journal = new Journal(new VirtualClock(), store, () => undefined)
    journal.put('a', 1)
    journal.put('a', 2)
    journal.put('b', 1)
    journal.delete('b')
    open()
    const flushed = journal.flush()
    await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    open()
    await flushed
    expect(committed).toEqual([[{ put: 'a', value: 1 }], [{ put: 'a', value: 2 }, { delete: 'b' }]])
  })

  it('tries again when the store fails, and what was asked for meanwhile wins', async () => {
    const clock = new VirtualClock()
    let failing = true
    const problems: unknown[] = []
    const { store, committed } = storeOf(() => (failing ? Promise.reject(new Error('disk full')) : Promise.resolve()))
    const journal = new Journal(clock, store, (error) => problems.push(error))
    journal.put('a', 1)
    journal.put('b', 1)
    await journal.flush()
    journal.put('b', 2)
    await journal.flush()
    expect(problems).toHaveLength(2)
    failing = false
    await clock.advance(seconds(1))
    await journal.close()
    expect(committed).toEqual([
      [
        { put: 'a', value: 1 },
        { put: 'b', value: 2 },
      ],
    ])
    expect(clock.pending).toBe(0)
  })

  it('writes what is asked for at whatever moment the transaction before it ends', async () => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { store, committed } = storeOf(() => Promise.resolve())
      const journal = new Journal(new VirtualClock(), store, () => undefined)
      journal.put('a', 1)
      for (let i = 0; i < microtasks; i++) await Promise.resolve()
      journal.put('b', 1)
      await new Promise((resolve) => setImmediate(resolve))
      expect(committed, `after ${microtasks} microtasks`).toEqual([[{ put: 'a', value: 1 }], [{ put: 'b', value: 1 }]])
    }
  })

  it('writes nothing any more once it is closed', async () => {
    const { store, committed } = storeOf(() => Promise.resolve())
    const journal = new Journal(new VirtualClock(), store, () => undefined)
    journal.put('a', 1)
    await journal.close()
    journal.put('b', 1)
    await journal.flush()
    expect(committed).toEqual([[{ put: 'a', value: 1 }]])
  })
})
