import { describe, expect, it } from 'vitest'
import type { Fields } from '../../../cache/core/http/fields.ts'
import type { StoreFrame } from './frames.ts'
import { leaseMs, NodeStore, passMs, type Asker, type NodeEntry } from './node-store.ts'

const key = 'http://a.test/'
const request = (language = ''): Fields => ({ all: (name) => (name === 'accept-language' && language !== '' ? [language] : []) })

class TestWorker implements Asker {
  readonly heard: StoreFrame[] = []

  tell(frame: StoreFrame): void {
    this.heard.push(frame)
  }

  take(): readonly (readonly [string, number])[] {
    return this.heard.splice(0).map((frame) => [frame.t, (frame as { readonly id: number }).id])
  }
}

const entryOf = (store: NodeStore, more: Partial<NodeEntry> = {}): NodeEntry => ({
  key,
  variant: '',
  vary: [],
  names: ['s:api'],
  mark: store.mark,
  bornAt: 1,
  lifetimeMs: 1_000,
  staleMs: 0,
  head: Buffer.from('h'),
  body: Buffer.from('b'),
  ...more,
})

function bench(look = false) {
  const store = new NodeStore({ maxBytes: 100_000, look: () => look })
  const [a, b, c] = [new TestWorker(), new TestWorker(), new TestWorker()]
  let id = 0
  const get = (worker: TestWorker, more: { readonly leads?: boolean; readonly born?: number; readonly language?: string } = {}, now = 0): number => {
    store.get(worker, { id: ++id, key, leads: more.leads ?? true, born: more.born }, request(more.language), now)
    return id
  }
  return { store, a, b, c, get }
}

describe('the store of a node', () => {
  it('lets one ask, gives the others what has come, and later everybody', () => {
    const { store, a, b, c, get } = bench()
    get(a)
    get(b)
    get(c, { leads: false })
    expect([a.take(), b.take(), c.take()]).toEqual([[['lead', 1]], [['wait', 2]], [['go', 3]]])
    store.put(a, entryOf(store), 0)
    expect(b.take()).toEqual([['found', 2]])
    get(c, { leads: false })
    expect(c.take()).toEqual([['found', 4]])
    get(c, { born: 1 })
    expect(c.take()).toEqual([['lead', 5]])
  })

  it.each([
    ['fails', ({ store, a }: ReturnType<typeof bench>) => store.over(a, key, false, 0)],
    ['is gone', ({ store, a }: ReturnType<typeof bench>) => store.left(a, 0)],
    ['says nothing', ({ store }: ReturnType<typeof bench>) => store.sweep(leaseMs)],
  ])('the next one leads when the first %s', (_what, end) => {
    const all = bench()
    const { a, b, c, get } = all
    get(a)
    get(b)
    get(c)
    end(all)
    expect([b.take(), c.take()]).toEqual([
      [
        ['wait', 2],
        ['lead', 2],
      ],
      [['wait', 3]],
    ])
  })

  it('after three that fail all ask', () => {
    const { store, a, b, get } = bench()
    get(a)
    for (let i = 0; i < 4; i++) get(b)
    store.over(a, key, false, 0)
    store.over(b, key, false, 0)
    b.take()
    store.over(b, key, false, 0)
    expect(b.take()).toEqual([
      ['go', 4],
      ['go', 5],
    ])
    get(a)
    expect(a.take()).toEqual([
      ['lead', 1],
      ['lead', 6],
    ])
  })

  it('what is not to be kept is waited for by nobody, for a time', () => {
    const { store, a, b, get } = bench()
    get(a)
    get(b)
    store.over(a, key, true, 0)
    expect(b.heard).toMatchObject([{ t: 'wait' }, { t: 'go', pass: true }])
    get(b, {}, passMs - 1)
    get(b, {}, passMs)
    expect(b.heard.slice(2)).toMatchObject([{ t: 'go', pass: true }, { t: 'lead' }])
  })

  it('who wants another variant asks for itself', () => {
    const { store, a, b, get } = bench()
    get(a, { language: 'de' })
    get(b, { language: 'en' })
    get(b, { language: 'de' })
    store.put(a, entryOf(store, { vary: ['accept-language'], variant: '=de' }), 0)
    expect(b.take()).toEqual([
      ['wait', 2],
      ['wait', 3],
      ['go', 2],
      ['found', 3],
    ])
    store.put(b, entryOf(store, { vary: ['accept-language'], variant: '=en' }), 0)
    get(a, { language: 'de' })
    get(a, { language: 'en' })
    expect(a.take().slice(1)).toEqual([
      ['found', 4],
      ['found', 5],
    ])
  })

  it('keeps nothing that was asked for before it was invalidated', () => {
    const { store, a, b, get } = bench()
    get(a)
    get(b)
    const late = entryOf(store)
    store.invalidate({ soft: false, all: false, names: [`u:${key}`] }, 10)
    expect(store.put(a, late, 0)).toBe(false)
    expect(store.fenced).toBe(1)
    expect(b.heard).toMatchObject([{ t: 'wait' }, { t: 'lead', mark: 10 }])
    expect(store.put(b, entryOf(store), 0)).toEqual({ farMark: undefined, renewed: false })
    expect(store.purge({ soft: true, all: false, names: ['s:api'] }, 11)).toBe(1)
    get(a)
    expect(a.heard.at(-1)).toMatchObject({ t: 'found', stale: true })
    expect(store.purge({ soft: false, all: true, names: [] }, 12)).toBe(1)
    expect(store.entries.size).toBe(0)
  })

  it('looks in the second tier first, once for all, and what comes late is not kept', () => {
    const { store, a, b, get } = bench(true)
    get(a)
    get(b, { leads: false })
    expect([a.take(), b.take()]).toEqual([[['wait', 1]], [['wait', 2]]])
    store.looked(key, entryOf(store), 7, 0)
    expect([a.take(), b.take()]).toEqual([[['found', 1]], [['found', 2]]])
    store.drop(key)
    get(a)
    get(b, { leads: false })
    const late = entryOf(store)
    store.invalidate({ soft: false, all: false, names: ['s:api'] }, 10)
    store.looked(key, late, 7, 0)
    expect([a.take(), b.take()]).toEqual([
      [
        ['wait', 3],
        ['lead', 3],
      ],
      [
        ['wait', 4],
        ['go', 4],
      ],
    ])
    expect(store.put(a, entryOf(store), 0)).toEqual({ farMark: 7, renewed: false })
  })
})
