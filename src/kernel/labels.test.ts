import { describe, expect, it } from 'vitest'
import { fingerprint, labelsKey } from './labels.ts'

describe('labels', () => {
  it('are one set in any order', () => {
    expect(labelsKey({ b: '2', a: '1' })).toBe(labelsKey({ a: '1', b: '2' }))
    expect(labelsKey({ a: '1', b: '' })).toBe(labelsKey({ a: '1' }))
    expect(labelsKey({ a: '1' })).not.toBe(labelsKey({ a: '2' }))
  })

  it('have the fingerprint that Prometheus and Alertmanager give them', () => {
    // The empty set is the offset of FNV-1a; the other stands in common/model/labels_test.go.
    expect(fingerprint({})).toBe('cbf29ce484222325')
    expect(fingerprint({ b: '2', a: '1' })).toBe(fingerprint({ a: '1', b: '2' }))
  })
})
