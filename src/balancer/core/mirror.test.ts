import { describe, expect, it } from 'vitest'
import { addMirror, differenceOf, differencesMax, noMirrorCounts, type MirrorDifference, type MirrorTelemetry } from './mirror.ts'

const answer = { status: 200, contentType: 'text/plain', bytes: 3, hash: 'abc' }
const difference = (request: string): MirrorDifference => ({
  at: 0,
  request,
  method: 'GET',
  path: '/',
  differs: ['status'],
  original: answer,
  mirrored: answer,
})
const reading = (same: number, requests: readonly string[]): MirrorTelemetry => ({
  counts: { ...noMirrorCounts, same, differs: requests.length },
  differences: requests.map(difference),
})

describe('what came of copies', () => {
  it('is summed, and of the differences the last are kept', () => {
    const names = (from: number): string[] => Array.from({ length: 30 }, (_, i) => `r${from + i}`)
    const { counts, differences } = addMirror(addMirror(undefined, reading(1, names(0))), reading(2, names(30)))
    expect(counts).toEqual({ ...noMirrorCounts, same: 3, differs: 60 })
    expect(differences).toHaveLength(differencesMax)
    expect([differences[0]?.request, differences.at(-1)?.request]).toEqual(['r10', 'r59'])
  })

  it('names what differs', () => {
    expect(differenceOf(answer, { ...answer })).toEqual([])
    expect(differenceOf(answer, { ...answer, status: 201, hash: 'abd' })).toEqual(['status', 'hash'])
  })
})
