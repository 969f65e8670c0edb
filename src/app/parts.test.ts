import { describe, expect, it } from 'vitest'
import { Parts } from './parts.ts'

const setUp = () => {
  const ended: string[] = []
  const parts = new Parts((name, error) => ended.push(`${name}: ${String(error)}`))
  parts.started('store', () => ended.push('store'))
  parts.begun('listeners', () => ended.push('listeners'))
  parts.started('API', () => Promise.reject(new Error('full disk')))
  parts.started('rules', async () => {
    await Promise.resolve()
    ended.push('rules')
  })
  return { parts, ended }
}

describe('parts', () => {
  it('are ended last first, all of them, whatever becomes of one', async () => {
    const { parts, ended } = setUp()
    await parts.stop(1_000)
    expect(ended).toEqual(['rules', 'API: Error: full disk', 'listeners', 'store'])
  })

  it('of a start that is complete stay when they were only begun', async () => {
    const { parts, ended } = setUp()
    parts.complete()
    await parts.stop(1_000)
    expect(ended).toEqual(['rules', 'API: Error: full disk', 'store'])
  })

  it('are ended once', async () => {
    const { parts, ended } = setUp()
    await Promise.all([parts.stop(1_000), parts.stop(1_000)])
    await parts.stop(1_000)
    expect(ended).toHaveLength(4)
  })
})
