/** The tables of the live stream: what a reader has after all messages is what the server has. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FakeOperations, startOfTime } from '../testing/fake-operations.ts'
import { liveChanges, liveParts, liveTables } from './tables.ts'
import { liveCollections, type LiveMessage, type LiveRecord, type LiveTables } from './types.ts'

const empty = Object.fromEntries(liveCollections.map((name) => [name, {}])) as unknown as LiveTables

type Held = Record<string, Record<string, Record<string, unknown>>>

/** As a reader does it: through JSON, and null takes a field away. */
function applied(held: Held, message: Partial<LiveMessage>): Held {
  const { set = {}, gone = {} } = JSON.parse(JSON.stringify(message)) as Partial<LiveMessage>
  const next = structuredClone(held)
  for (const [name, records] of Object.entries(set)) {
    for (const [id, fields] of Object.entries(records)) {
      const record = ((next[name] ??= {})[id] ??= {})
      for (const [field, value] of Object.entries(fields)) {
        if (value === null) Reflect.deleteProperty(record, field)
        else record[field] = value
      }
    }
  }
  for (const [name, ids] of Object.entries(gone)) for (const id of ids) Reflect.deleteProperty(next[name] ?? {}, id)
  return next
}

const plain = (tables: LiveTables): Held => JSON.parse(JSON.stringify(tables)) as Held
const record = fc.dictionary(
  fc.constantFrom('a', 'b', 'c'),
  fc.oneof(fc.integer(), fc.string(), fc.constant(undefined), fc.array(fc.integer(), { maxLength: 3 })),
)
const tables = fc
  .record(Object.fromEntries(liveCollections.map((name) => [name, fc.dictionary(fc.constantFrom('x', 'y', 'z'), record)])))
  .map((made) => ({ ...empty, ...(made as unknown as LiveTables) }))

describe('the tables', () => {
  it('lay an overview out flat, and say once to which service everything belongs', () => {
    const laid = liveTables(new FakeOperations().overview(), [], startOfTime)
    expect(Object.keys(laid.services)).toEqual(['shop', 'chat'])
    expect(laid.services.shop).not.toHaveProperty('instances')
    for (const [id, instance] of Object.entries(laid.instances)) expect(instance).toMatchObject({ id, service: expect.any(String) as string })
    for (const [id, { service, id: own }] of Object.entries(laid.endpoints)) expect(id).toBe(`${String(service)}/${String(own)}`)
    expect(laid.system.system).not.toHaveProperty('uptime')
  })

  it('nothing changed is no change', () => {
    const operations = new FakeOperations()
    expect(liveChanges(liveTables(operations.overview(), [], startOfTime), liveTables(operations.overview(), [], startOfTime))).toBeUndefined()
  })

  it('tell only the fields that changed', () => {
    const before: LiveTables = { ...empty, instances: { a: { phase: 'ready', pid: 1, reason: 'slow' }, b: { pid: 2 } } }
    const now: LiveTables = { ...empty, instances: { a: { phase: 'stopping', pid: 1, reason: undefined }, c: { pid: 3 } } }
    expect(liveChanges(before, now)).toEqual({
      set: { instances: { a: { phase: 'stopping', reason: null }, c: { pid: 3 } } },
      gone: { instances: ['b'] },
    })
  })

  it('property: whoever applies all messages has what the server has', () => {
    fc.assert(
      fc.property(fc.array(tables, { minLength: 1, maxLength: 5 }), ([first = empty, ...later]) => {
        let held = liveParts(first, 0).reduce(applied, plain(empty))
        expect(held).toEqual(plain(first))
        let before = first
        for (const next of later) {
          held = applied(held, liveChanges(before, next) ?? {})
          expect(held).toEqual(plain(next))
          before = next
        }
      }),
    )
  })

  it('a large whole comes in parts that a stream can hold', () => {
    const many = (n: number): LiveRecord => ({ id: String(n) })
    const whole: LiveTables = { ...empty, endpoints: Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`shop/${n}`, many(n)])) }
    const parts = liveParts(whole, 0)
    expect(parts.map(({ part }) => part)).toEqual(['first', 'middle', 'last'])
    expect(parts.map(({ set }) => Object.keys(set?.endpoints ?? {}).length)).toEqual([200, 200, 50])
    expect(liveParts(empty, 0)).toEqual([{ at: 0, part: 'only', set: {} }])
  })
})
