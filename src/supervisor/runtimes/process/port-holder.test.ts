import { expect, it } from 'vitest'
import { judgeHolders } from './port-holder.ts'
import type { Holder } from './process-table.ts'

const owner = { id: 'web-aaaaaa', dataDirectory: '/data', pid: 100, startTicks: 5_000 }
const holder = (change: Partial<Holder> & { readonly marks?: readonly [string, string] }): Holder => {
  const { marks, ...rest } = change
  const environment = new Map(marks ? [['HOLDFAST_INSTANCE', marks[0]] as const, ['HOLDFAST_DATA', marks[1]] as const] : [])
  return { pid: 200, group: 200, startTicks: 5_001, environment, ...rest }
}

it.each([
  ['the instance itself', [holder({ pid: 100, group: 100 })], 'own'],
  ['a child of it', [holder({ group: 100 })], 'own'],
  ['what has left its group, by its mark', [holder({ marks: ['web-aaaaaa', '/data'] })], 'own'],
  ['a stranger who shares the port with it', [holder({ startTicks: 1 }), holder({ group: 100 })], 'own'],
  ['another instance', [holder({ marks: ['web-bbbbbb', '/data'] })], 'stranger'],
  ['an instance of the same name elsewhere', [holder({ marks: ['web-aaaaaa', '/elsewhere'] })], 'stranger'],
  ['what ran before it', [holder({ startTicks: 4_999 })], 'stranger'],
  ['something younger without a mark', [holder({})], 'unknown'],
  ['a stranger beside something younger', [holder({ startTicks: 1 }), holder({})], 'unknown'],
  ['nobody to be seen', [], 'unknown'],
])('%s', (_, holders, judged) => {
  expect(judgeHolders(holders, owner)).toBe(judged)
})
