import { describe, expect, it } from 'vitest'
import { reportBytesMax } from '../../instance/types.ts'
import { readReport } from './instance-reports.ts'

const good = { instance: 'web-1', lagMs: 1.5, utilization: 0.2, heapUsedBytes: 10, heapLimitBytes: 20, ready: true }

describe('reading a report', () => {
  it('takes what the reporter writes, and nothing that it does not know', () => {
    expect(readReport(JSON.stringify({ ...good, more: 1 }))).toEqual(good)
    expect(readReport(JSON.stringify({ ...good, ready: false, reason: 'warming up' }))).toEqual({ ...good, ready: false, reason: 'warming up' })
  })

  it.each([
    ['', 'nothing'],
    ['null', 'null'],
    ['[]', 'a list'],
    ['{', 'half a document'],
    [JSON.stringify({ ...good, instance: '' }), 'no name'],
    [JSON.stringify({ ...good, lagMs: -1 }), 'a lag below zero'],
    [JSON.stringify({ ...good, lagMs: '1' }), 'a text for a number'],
    [JSON.stringify({ ...good, lagMs: null }), 'no number'],
    [JSON.stringify({ ...good, ready: 1 }), 'a number for a truth'],
    [JSON.stringify({ ...good, reason: 'x'.repeat(reportBytesMax) }), 'more than it may have'],
  ])('refuses %j: %s', (line) => {
    expect(readReport(line)).toBeUndefined()
  })
})
