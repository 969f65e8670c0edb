import { afterEach, describe, expect, it, vi } from 'vitest'
import { HoldfastError, messageOf } from '../kernel/errors.ts'
import type { Backend, StoredChange } from './backend.ts'
import { Watches } from './watches.ts'

afterEach(() => vi.unstubAllGlobals())

/** A history that can be made unreadable. */
function makeHistory() {
  const changes: StoredChange[] = []
  const state: { failure: Error | undefined } = { failure: undefined }
  const backend = {
    head: () => ({ revision: changes.length, id: changes.length, compacted: 0 }),
    changes(position: { id: number; revision: number }) {
      if (state.failure) throw state.failure
      return changes.filter(({ id, revision }) => id > position.id && revision > position.revision)
    },
  } as unknown as Backend
  const add = (): void => void changes.push({ id: changes.length + 1, revision: changes.length + 1, key: 'k', json: '1', createRevision: 1 })
  return { watches: new Watches(backend), add, state }
}

describe('a watch', () => {
  it('that cannot read says so, and reads on where it was', () => {
    const { watches, add, state } = makeHistory()
    const seen: number[] = []
    const errors: string[] = []
    watches.add(
      {
        prefix: '',
        onChange: (change) => seen.push(change.type === 'put' ? change.entry.modRevision : 0),
        onError: (error) => errors.push(error.message),
      },
      undefined,
    )
    add()
    state.failure = new HoldfastError('store_unavailable', 'disk fails')
    watches.readAll()
    expect([seen, errors]).toEqual([[], ['disk fails']])
    state.failure = undefined
    add()
    watches.readAll()
    expect([seen, errors]).toEqual([[1, 2], ['disk fails']])
  })

  it('hands an error that nobody asked for to the process, not to the commit', () => {
    const later: (() => void)[] = []
    vi.stubGlobal('queueMicrotask', (task: () => void) => later.push(task))
    const { watches, add } = makeHistory()
    const broken = (): never => {
      throw new Error('listener broke')
    }
    watches.add({ prefix: '', onChange: broken, onError: undefined }, undefined)
    watches.add(
      {
        prefix: '',
        onChange: broken,
        onError: (error) => {
          throw new Error('handler broke', { cause: error })
        },
      },
      undefined,
    )
    add()
    watches.readAll()
    const thrown = later.map((task) => {
      try {
        task()
      } catch (error) {
        return messageOf(error)
      }
      return 'nothing'
    })
    expect(thrown).toEqual(['listener broke', 'handler broke: listener broke'])
  })
})
