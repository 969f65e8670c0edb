import { describe, expect, it } from 'vitest'
import { wallTime } from '../kernel/time.ts'
import { withMarked } from './adoption.ts'
import type { InstanceRecord } from './records.ts'
import type { MarkedProcess, RunningInstance } from './runtimes/runtime.ts'

const running = (id: string, pid: number): RunningInstance => ({
  id,
  service: id.split('-')[0] ?? '',
  process: { pid, startTicks: 1, bootId: '' },
  port: 3000 + pid,
  shell: false,
  startedAt: wallTime(0),
})
const marked = (id: string, pid: number, leader = true): MarkedProcess => ({ instance: running(id, pid), leader })
const record = (id: string, slot: number, more: Partial<InstanceRecord> = {}): InstanceRecord => ({
  id,
  service: id.split('-')[0] ?? '',
  slot,
  revision: 3,
  ...more,
})
const placed = (records: readonly InstanceRecord[]): unknown =>
  records.map(({ id, slot, revision, running }) => [id, slot, revision, running?.process.pid])

describe('what runs and what is remembered', () => {
  it('a record without a pid gets it from the mark; one with a pid keeps its own', () => {
    const records = [record('web-a', 0), record('web-b', 1, { running: running('web-b', 8) })]
    expect(placed(withMarked(records, [marked('web-a', 7), marked('web-b', 9)]))).toEqual([
      ['web-a', 0, 3, 7],
      ['web-b', 1, 3, 8],
    ])
  })

  it('one that was spawned in the last moment has no place: it is stopped', () => {
    expect(placed(withMarked([record('web-a', 0)], [marked('web-a', 7), marked('web-x', 8)]))).toEqual([
      ['web-a', 0, 3, 7],
      ['web-x', -1, 0, 8],
    ])
  })

  it('of a service that the store has forgotten each has a place, of a revision older than any', () => {
    expect(placed(withMarked([record('web-a', 0)], [marked('db-x', 7), marked('db-y', 8)]))).toEqual([
      ['web-a', 0, 3, undefined],
      ['db-x', 0, 0, 7],
      ['db-y', 1, 0, 8],
    ])
  })

  it('children of an instance are not instances', () => {
    expect(withMarked([], [marked('web-a', 7, false)])).toEqual([])
  })
})
