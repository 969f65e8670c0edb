/**
 * What every state store promises (`src/store/port.ts`), as one suite. A new store runs it on its real
 * server: `describeStateStore('etcd store', factory)`.
 */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf } from '../../src/kernel/errors.ts'
import { compareKeys } from '../../src/store/core/keys.ts'
import { storeLimits, type Change, type Entry, type StateStore, type Transaction } from '../../src/store/index.ts'

/** Makes a started, empty store that keeps `changesMax` changes (default: its own limit). The suite stops it. */
export type StoreFactory = (options: { changesMax?: number }) => Promise<StateStore>

const soon = AbortSignal.timeout(600_000)
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const codeFrom = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => codeOf(error),
  )

function codeThrown(act: () => unknown): string | undefined {
  try {
    act()
  } catch (error) {
    return codeOf(error)
  }
  return 'returned'
}

const put = (key: string, value: unknown): Transaction => ({ writes: [{ put: key, value }] })
const remove = (key: string): Transaction => ({ writes: [{ delete: key }] })
const keysOf = (entries: readonly Entry[]): string[] => entries.map(({ key }) => key)

/** A change in one line: `3 put a = 1`, `4 delete a`. */
const told = (change: Change): string =>
  change.type === 'put'
    ? `${change.entry.modRevision} put ${change.entry.key} = ${JSON.stringify(change.entry.value)}`
    : `${change.modRevision} delete ${change.key}`

export function describeStateStore(name: string, factory: StoreFactory): void {
  describe(name, () => {
    let store: StateStore
    const opened: StateStore[] = []
    const make = async (options: { changesMax?: number } = {}): Promise<StateStore> => {
      const made = await factory(options)
      opened.push(made)
      return made
    }

    beforeEach(async () => {
      store = await make()
    })
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.stop(soon)
    })

    describe('entries', () => {
      it('knows nothing at first', async () => {
        expect(await store.get('a')).toBeUndefined()
        expect(await store.list('')).toEqual([])
      })

      it('keeps the revision of creation and of the last change', async () => {
        await store.commit(put('a', 1))
        await store.commit(put('b', 1))
        await store.commit(put('a', 2))
        expect(await store.get('a')).toEqual({ key: 'a', value: 2, createRevision: 1, modRevision: 3 })
        expect(await store.get('b')).toEqual({ key: 'b', value: 1, createRevision: 2, modRevision: 2 })
      })

      it('a key that was deleted and made again is a new one', async () => {
        await store.commit(put('a', 1))
        await store.commit(remove('a'))
        expect(await store.get('a')).toBeUndefined()
        await store.commit(put('a', 1))
        expect(await store.get('a')).toMatchObject({ createRevision: 3, modRevision: 3 })
      })

      it.each([null, true, 0, -1.5, '', 'x\0y', '\ud800', [], {}, [1, [2, { a: null }]], { '': 1, __proto_: 2, 'a.b': [] }, Number.MAX_SAFE_INTEGER])(
        'gives %j back as it went in',
        async (value) => {
          await store.commit(put('a', value))
          expect((await store.get('a'))?.value).toEqual(value)
        },
      )

      it('gives any JSON back as it went in', async () => {
        await fc.assert(
          fc.asyncProperty(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), async (value) => {
            await store.commit(put('a', value))
            expect((await store.get('a'))?.value).toEqual(JSON.parse(JSON.stringify(value)))
          }),
          { numRuns: 50 },
        )
      })

      it('cannot be changed through what it was given or what it gave', async () => {
        const value = { list: [1] }
        const committed = store.commit(put('a', value))
        value.list.push(2)
        await committed
        const entry = await store.get<{ list: number[] }>('a')
        expect(entry?.value).toEqual({ list: [1] })
        expect(() => entry?.value.list.push(3)).toThrow(TypeError)
        expect((await store.get('a'))?.value).toEqual({ list: [1] })
      })

      it('leaves out what is undefined, as JSON does', async () => {
        await store.commit(put('a', { b: undefined, c: 1 }))
        expect(Object.keys((await store.get<object>('a'))?.value ?? {})).toEqual(['c'])
      })
    })

    describe('what is not JSON', () => {
      class Thing {
        a = 1
      }
      const circle: unknown[] = []
      circle.push(circle)
      const values: [string, unknown][] = [
        ['undefined', undefined],
        ['a function', () => 1],
        ['a bigint', 1n],
        ['a symbol', Symbol('s')],
        ['NaN', Number.NaN],
        ['an infinity inside', { a: [1, Infinity] }],
        ['a date', new Date(0)],
        ['a map', { a: new Map([[1, 2]]) }],
        ['an instance of a class', new Thing()],
        ['a buffer', Buffer.from('x')],
        ['a hole in a list', [1, undefined, 3]],
        ['a circle', circle],
        ['toJSON', { toJSON: () => 1 }],
      ]
      it.each(values)('refuses %s and writes nothing', async (_, value) => {
        expect(
          await codeFrom(
            store.commit({
              writes: [
                { put: 'a', value: 1 },
                { put: 'b', value },
              ],
            }),
          ),
        ).toBe('store_invalid')
        expect(await store.list('')).toEqual([])
      })
    })

    describe('keys', () => {
      // In the order of their code points, which is that of their UTF-8 bytes.
      const odd = [
        '\u0001',
        ' ',
        '%',
        "'",
        '/',
        'A',
        '_',
        'a',
        'a\n',
        'aa',
        'ä',
        '\u2028',
        '\ud7ff',
        '\ue000',
        '\ufeff',
        '\ufffe',
        '\uffff',
        '\u{10000}',
        '😀',
        '\u{10ffff}',
      ]

      it('takes odd ones and lists them in the order of their code points', async () => {
        await store.commit({ writes: odd.toReversed().map((key) => ({ put: key, value: key })) })
        expect(keysOf(await store.list(''))).toEqual(odd)
        for (const key of odd) expect((await store.get(key))?.value).toBe(key)
      })

      it('tells apart what only looks the same', async () => {
        await store.commit({ writes: ['é', 'e\u0301', 'É', 'e'].map((key) => ({ put: key, value: key })) })
        expect((await store.get('é'))?.value).toBe('é')
        expect(await store.list('e')).toHaveLength(2)
      })

      it.each(['', 'a\0b', '\ud83d', 'a\udc00b', 42, undefined, null])('refuses the key %j', async (key) => {
        expect(await codeFrom(store.commit(put(key as string, 1)))).toBe('store_invalid')
        expect(await codeFrom(store.commit(remove(key as string)))).toBe('store_invalid')
        expect(await codeFrom(store.commit({ compare: [{ key: key as string, modRevision: 0 }], writes: [] }))).toBe('store_invalid')
        expect(await codeFrom(store.get(key as string))).toBe('store_invalid')
      })

      it('refuses to list by half a surrogate pair', async () => {
        expect(await codeFrom(store.list('\ud83d'))).toBe('store_invalid')
        expect(codeThrown(() => store.watch('\ud83d', () => undefined))).toBe('store_invalid')
      })

      it.each([
        ['', odd],
        ['a', ['a', 'a\n', 'aa']],
        ['%', ['%']],
        ['_', ['_']],
        ['\ud7ff', ['\ud7ff']],
        ['\uffff', ['\uffff']],
        ['😀', ['😀']],
        ['\u{10ffff}', ['\u{10ffff}']],
        ['b', []],
      ])('lists by the prefix %j', async (prefix, expected) => {
        await store.commit({ writes: odd.map((key) => ({ put: key, value: 1 })) })
        expect(keysOf(await store.list(prefix))).toEqual(expected)
      })

      it('lists by any prefix what begins with it', async () => {
        const text = fc.string({ unit: fc.constantFrom('a', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '😀', '\u{10ffff}'), maxLength: 4 })
        await fc.assert(
          fc.asyncProperty(fc.uniqueArray(text, { maxLength: 12 }), text, async (keys, prefix) => {
            const fresh = await make()
            const written = keys.filter((key) => key !== '')
            await fresh.commit({ writes: written.map((key) => ({ put: key, value: 1 })) })
            expect(keysOf(await fresh.list(prefix))).toEqual(written.filter((key) => key.startsWith(prefix)).sort(compareKeys))
            await fresh.stop(soon)
          }),
          { numRuns: 30 },
        )
      })
    })

    describe('transactions', () => {
      it('write everything or nothing', async () => {
        await store.commit(put('a', 1))
        const lost = await store.commit({
          compare: [
            { key: 'a', modRevision: 1 },
            { key: 'b', modRevision: 7 },
          ],
          writes: [
            { put: 'a', value: 2 },
            { put: 'c', value: 3 },
          ],
        })
        expect(lost).toEqual({ succeeded: false, revision: 1 })
        expect(await store.list('')).toEqual([{ key: 'a', value: 1, createRevision: 1, modRevision: 1 }])
      })

      it('compare with 0 asks that the key does not exist', async () => {
        const create = { compare: [{ key: 'a', modRevision: 0 }], writes: [{ put: 'a', value: 1 }] }
        expect(await store.commit(create)).toEqual({ succeeded: true, revision: 1 })
        expect(await store.commit(create)).toEqual({ succeeded: false, revision: 1 })
      })

      it('raise the revision by one, however many keys they write, and not at all when nothing changes', async () => {
        expect(await store.commit({ writes: ['a', 'b', 'c'].map((key) => ({ put: key, value: 1 })) })).toEqual({ succeeded: true, revision: 1 })
        expect(await store.commit({ writes: [] })).toEqual({ succeeded: true, revision: 1 })
        expect(await store.commit(remove('nothing'))).toEqual({ succeeded: true, revision: 1 })
        expect(await store.commit(put('a', 1))).toEqual({ succeeded: true, revision: 2 })
      })

      it('may write a key once', async () => {
        expect(await codeFrom(store.commit({ writes: [{ put: 'a', value: 1 }, { delete: 'a' }] }))).toBe('store_invalid')
      })

      it('happen one after the other: of many that want the same key, one gets it', async () => {
        const attempts = Array.from({ length: 300 }, (_, n) =>
          store.commit({
            compare: [{ key: 'lock', modRevision: 0 }],
            writes: [
              { put: 'lock', value: n },
              { put: `n/${n}`, value: n },
            ],
          }),
        )
        const results = await Promise.all(attempts)
        expect(results.filter(({ succeeded }) => succeeded)).toHaveLength(1)
        expect(await store.list('n/')).toHaveLength(1)
      })

      it('happen in the order in which they were handed in', async () => {
        const results = await Promise.all(Array.from({ length: 300 }, (_, n) => store.commit(put('a', n))))
        expect(results.map(({ revision }) => revision)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
        expect((await store.get('a'))?.value).toBe(299)
      })

      it('a counter that many raise by compare and set loses no count', async () => {
        const raise = async (): Promise<void> => {
          for (;;) {
            const entry = await store.get<number>('counter')
            const { succeeded } = await store.commit({
              compare: [{ key: 'counter', modRevision: entry?.modRevision ?? 0 }],
              writes: [{ put: 'counter', value: (entry?.value ?? 0) + 1 }],
            })
            if (succeeded) return
          }
        }
        await Promise.all(Array.from({ length: 20 }, raise))
        expect((await store.get('counter'))?.value).toBe(20)
      })
    })

    describe('limits', () => {
      const { keyBytesMax, valueBytesMax, writesMax } = storeLimits

      it('keys are measured in bytes', async () => {
        expect(await codeFrom(store.commit(put('é'.repeat(keyBytesMax / 2), 1)))).toBe('resolved')
        expect(await codeFrom(store.commit(put('é'.repeat(keyBytesMax / 2 + 1), 1)))).toBe('store_limit')
        expect(await codeFrom(store.get('x'.repeat(keyBytesMax + 1)))).toBe('store_limit')
      })

      it('values are measured in bytes of JSON', async () => {
        expect(await codeFrom(store.commit(put('a', 'x'.repeat(valueBytesMax - 2))))).toBe('resolved')
        expect(await codeFrom(store.commit(put('a', 'x'.repeat(valueBytesMax - 1))))).toBe('store_limit')
        expect(await codeFrom(store.commit(put('a', '€'.repeat(valueBytesMax / 3))))).toBe('store_limit')
        expect((await store.get<string>('a'))?.value).toHaveLength(valueBytesMax - 2)
      })

      it('transactions have a number of writes and compares', async () => {
        const writes = Array.from({ length: writesMax + 1 }, (_, n) => ({ put: `k${n}`, value: n }))
        expect(await codeFrom(store.commit({ writes: writes.slice(1) }))).toBe('resolved')
        expect(await codeFrom(store.commit({ writes }))).toBe('store_limit')
        const compare = Array.from({ length: writesMax + 1 }, (_, n) => ({ key: `k${n}`, modRevision: 0 }))
        expect(await codeFrom(store.commit({ compare, writes: [] }))).toBe('store_limit')
      })

      it.each([-1, 0.5, Number.NaN])('a revision is not %s', async (revision) => {
        expect(await codeFrom(store.commit({ compare: [{ key: 'a', modRevision: revision }], writes: [] }))).toBe('store_invalid')
        expect(codeThrown(() => store.watch('', () => undefined, { fromRevision: revision }))).toBe('store_invalid')
      })
    })

    describe('watches', () => {
      const record = (prefix: string, fromRevision?: number): { seen: string[]; errors: (string | undefined)[]; watch: Disposable } => {
        const seen: string[] = []
        const errors: (string | undefined)[] = []
        const watch = store.watch(prefix, (change) => seen.push(told(change)), {
          ...(fromRevision === undefined ? {} : { fromRevision }),
          onError: (error) => errors.push(codeOf(error)),
        })
        return { seen, errors, watch }
      }

      it('tell what comes, under their prefix, before the commit resolves', async () => {
        await store.commit(put('a/1', 0))
        const { seen } = record('a/')
        await store.commit({ writes: [{ put: 'a/2', value: 1 }, { put: 'b', value: 2 }, { delete: 'a/1' }] })
        expect(seen).toEqual(['2 put a/2 = 1', '2 delete a/1'])
        await store.commit(remove('a/1'))
        expect(seen).toHaveLength(2)
      })

      it('tell nothing of transactions that did not succeed', async () => {
        const { seen } = record('')
        await store.commit({ compare: [{ key: 'a', modRevision: 5 }], writes: [{ put: 'a', value: 1 }] })
        expect(seen).toEqual([])
      })

      it('tell what was, then what comes, each once', async () => {
        for (let n = 1; n <= 5; n++) await store.commit(put('a', n))
        const { seen } = record('', 3)
        expect(seen).toEqual([])
        await store.commit(put('a', 6))
        await settled()
        expect(seen).toEqual(['4 put a = 4', '5 put a = 5', '6 put a = 6'])
      })

      it('may wait for a revision that is still to come', async () => {
        const { seen } = record('', 2)
        for (let n = 1; n <= 3; n++) await store.commit(put('a', n))
        expect(seen).toEqual(['3 put a = 3'])
      })

      it('read a long past to its end', async () => {
        for (let n = 0; n < 9; n++) await store.commit({ writes: Array.from({ length: 100 }, (_, i) => ({ put: `k${i}`, value: n })) })
        const { seen } = record('', 0)
        await settled()
        expect(seen).toHaveLength(900)
        expect(seen[899]).toBe('9 put k99 = 8')
      })

      it('end when disposed, also from inside', async () => {
        const { seen, watch } = record('')
        let calls = 0
        const once = store.watch('', () => {
          calls++
          once[Symbol.dispose]()
        })
        watch[Symbol.dispose]()
        watch[Symbol.dispose]()
        await store.commit({
          writes: [
            { put: 'a', value: 1 },
            { put: 'b', value: 1 },
          ],
        })
        expect(seen).toEqual([])
        expect(calls).toBe(1)
      })

      it('do not break each other, nor the commit', async () => {
        const errors: string[] = []
        store.watch(
          '',
          () => {
            throw new Error('listener broke')
          },
          { onError: (error) => errors.push(error.message) },
        )
        const { seen } = record('')
        await store.commit(put('a', 1))
        await store.commit(put('a', 2))
        expect(seen).toEqual(['1 put a = 1', '2 put a = 2'])
        expect(errors).toEqual(['listener broke', 'listener broke'])
      })

      it('may commit from inside', async () => {
        const { seen } = record('')
        const done = new Promise<void>((resolve) => {
          store.watch('in', () => void store.commit(put('out', 1)).then(() => resolve()))
        })
        await store.commit(put('in', 1))
        await done
        expect(seen).toEqual(['1 put in = 1', '2 put out = 1'])
      })

      it('from a revision no longer kept say so and end', async () => {
        store = await make({ changesMax: 10 })
        for (let n = 1; n <= 30; n++) await store.commit(put('a', n))
        const late = record('', 5)
        const inTime = record('', 25)
        await settled()
        expect(late).toMatchObject({ seen: [], errors: ['compacted'] })
        expect(inTime.seen).toEqual([26, 27, 28, 29, 30].map((n) => `${n} put a = ${n}`))
        await store.commit(put('a', 31))
        expect(late).toMatchObject({ seen: [], errors: ['compacted'] })
        expect(inTime.seen).toHaveLength(6)
      })

      it('that keep up lose nothing, however short the history', async () => {
        store = await make({ changesMax: 10 })
        const { seen, errors } = record('')
        const wide = Array.from({ length: 50 }, (_, i) => `k${i}`)
        await Promise.all(Array.from({ length: 20 }, (_, n) => store.commit({ writes: wide.map((key) => ({ put: key, value: n })) })))
        expect(errors).toEqual([])
        expect(seen).toHaveLength(1_000)
      })
    })

    it('does what a plain model does, and its watches tell exactly what was committed', async () => {
      const key = fc.constantFrom('a', 'a/1', 'a/2', 'b', 'b/\uffff', '😀')
      const write = fc.oneof(
        fc.record({ put: key, value: fc.jsonValue({ maxDepth: 1 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown) }),
        fc.record({ delete: key }),
      )
      const keyOf = (one: { put: string } | { delete: string }): string => ('put' in one ? one.put : one.delete)
      // A compare names a key and how far its revision is off: mostly not at all.
      const compare = fc.record({ key, off: fc.constantFrom(0, 0, 0, 0, 1) })
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            commit: fc.uniqueArray(write, { selector: keyOf, maxLength: 4 }),
            compare: fc.array(compare, { maxLength: 2 }),
            wait: fc.boolean(),
          }),
        },
        { weight: 1, arbitrary: fc.record({ watch: fc.constantFrom('', 'a', 'a/', 'b/', '😀'), back: fc.option(fc.nat(8), { nil: undefined }) }) },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const real = await make()
          const model = new Model()
          const watches: { seen: string[]; expected: () => string[] }[] = []
          const commits: Promise<unknown>[] = []
          for (const one of steps) {
            if ('watch' in one) {
              await Promise.all(commits)
              const from = one.back === undefined ? undefined : Math.max(0, model.revision - one.back)
              const seen: string[] = []
              const since = from ?? model.revision
              real.watch(one.watch, (change) => seen.push(told(change)), from === undefined ? {} : { fromRevision: from })
              watches.push({ seen, expected: () => model.toldSince(since, one.watch) })
              continue
            }
            const transaction = {
              compare: one.compare.map((c) => ({ key: c.key, modRevision: (model.entries.get(c.key)?.modRevision ?? 0) + c.off })),
              writes: one.commit,
            }
            const expected = model.commit(transaction)
            const check = real.commit(transaction).then((result) => expect(result).toEqual(expected))
            commits.push(check)
            if (one.wait) await check
          }
          await Promise.all(commits)
          await settled()
          expect(await real.list('')).toEqual(model.list())
          for (const { seen, expected } of watches) expect(seen).toEqual(expected())
          await real.stop(soon)
        }),
        { numRuns: 60 },
      )
    })

    describe('its life', () => {
      it('finishes what was handed in before it stops, and refuses what comes after', async () => {
        const commits = Array.from({ length: 200 }, (_, n) => store.commit(put(`k${n}`, n)))
        const stopped = store.stop(soon)
        expect(await codeFrom(store.commit(put('late', 1)))).toBe('store_unavailable')
        expect((await Promise.all(commits)).at(-1)).toEqual({ succeeded: true, revision: 200 })
        await stopped
        expect(await codeFrom(store.get('a'))).toBe('store_unavailable')
        expect(codeThrown(() => store.watch('', () => undefined))).toBe('store_unavailable')
        await store.stop(soon)
      })

      it('starts again with what it had', async () => {
        await store.commit(put('a', 1))
        await store.stop(soon)
        await store.start()
        expect(await store.get('a')).toEqual({ key: 'a', value: 1, createRevision: 1, modRevision: 1 })
        expect(await store.commit(put('b', 1))).toEqual({ succeeded: true, revision: 2 })
      })

      it('does not start twice', async () => {
        expect(await codeFrom(store.start())).toBe('store_unavailable')
      })
    })
  })
}

/** The same promises in the plainest possible way. */
class Model {
  readonly entries = new Map<string, Entry>()
  readonly #changes: Change[] = []
  revision = 0

  commit({ compare = [], writes }: Transaction): { succeeded: boolean; revision: number } {
    const succeeded = compare.every((c) => (this.entries.get(c.key)?.modRevision ?? 0) === c.modRevision)
    const changing = succeeded ? writes.filter((write) => 'put' in write || this.entries.has(write.delete)) : []
    if (changing.length > 0) this.revision++
    for (const write of changing) {
      if ('put' in write) {
        const createRevision = this.entries.get(write.put)?.createRevision ?? this.revision
        const entry = { key: write.put, value: write.value, createRevision, modRevision: this.revision }
        this.entries.set(write.put, entry)
        this.#changes.push({ type: 'put', entry })
      } else {
        this.entries.delete(write.delete)
        this.#changes.push({ type: 'delete', key: write.delete, modRevision: this.revision })
      }
    }
    return { succeeded, revision: this.revision }
  }

  list(): Entry[] {
    return [...this.entries.values()].sort((a, b) => compareKeys(a.key, b.key))
  }

  toldSince(revision: number, prefix: string): string[] {
    return this.#changes
      .filter((change) => {
        const [key, at] = change.type === 'put' ? [change.entry.key, change.entry.modRevision] : [change.key, change.modRevision]
        return at > revision && key.startsWith(prefix)
      })
      .map(told)
  }
}
