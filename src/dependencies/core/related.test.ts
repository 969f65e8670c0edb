import { describe, expect, it } from 'vitest'
import { DependencyGraph } from './graph.ts'
import { relatedIn } from './related.ts'

const need = (of: string, to: string, hard = true): { of: string; anyOf: string[]; hard: boolean; evidence: { kind: 'configured' }[] } => ({
  ...{ of, anyOf: [to], hard },
  evidence: [{ kind: 'configured' }],
})

describe('what hangs together', () => {
  it('needs the same, directly or through others, in circles too; what it can do without does not count', () => {
    const names = ['shop', 'auth', 'database', 'a', 'b', 'mail', 'alone', 'other']
    const graph = new DependencyGraph(
      names.map((name) => ({ name, kind: 'service' as const })),
      [need('shop', 'database'), need('auth', 'database'), need('a', 'b'), need('b', 'a'), need('shop', 'mail', false), need('other', 'a')],
    )
    const related = relatedIn(graph)
    expect(related.get('shop')).toBe(related.get('auth'))
    expect(related.get('shop')).toBe(related.get('database'))
    expect(related.get('other')).toBe(related.get('b'))
    expect(related.get('other')).not.toBe(related.get('shop'))
    expect([related.get('mail'), related.get('alone')]).toEqual([undefined, undefined])
  })

  it('is found fast where everything hangs together', () => {
    const names = Array.from({ length: 4_000 }, (_, i) => `s${i}`)
    const graph = new DependencyGraph(
      names.map((name) => ({ name, kind: 'service' as const })),
      names.slice(1).map((name, i) => need(name, names[i]!)),
    )
    const began = performance.now()
    expect(new Set(relatedIn(graph).values()).size).toBe(1)
    expect(performance.now() - began).toBeLessThan(1_000)
  })
})
