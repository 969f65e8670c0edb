import { describe, expect, it } from 'vitest'
import { codeOf, messageOf } from './errors.ts'
import { Lifecycle, type Component } from './lifecycle.ts'

const deadline = new AbortController().signal

function makeParts() {
  const log: string[] = []
  const part = (name: string, fails: { start?: boolean; stop?: boolean } = {}): Component => ({
    name,
    async start() {
      log.push(`start ${name}`)
      if (fails.start) throw new Error(`${name} cannot`)
    },
    async stop() {
      log.push(`stop ${name}`)
      if (fails.stop) throw new Error(`${name} hangs`)
    },
  })
  return { log, part }
}

describe('a lifecycle', () => {
  it('starts in order and stops in reverse, once', async () => {
    const { log, part } = makeParts()
    const life = new Lifecycle([part('a'), part('b')])
    await life.start()
    await life.stop(deadline)
    await life.stop(deadline)
    expect(log).toEqual(['start a', 'start b', 'stop b', 'stop a'])
    await life.start()
    expect(log.slice(4)).toEqual(['start a', 'start b'])
  })

  it('a failed start stops what had started, and tells what failed', async () => {
    const { log, part } = makeParts()
    const life = new Lifecycle([part('a'), part('b'), part('c', { start: true }), part('d')])
    await expect(life.start()).rejects.toThrow('c cannot')
    expect(log).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop a'])
    await life.stop(deadline)
    expect(log).toHaveLength(5)
  })

  it('a part that does not stop keeps no other from stopping', async () => {
    const { log, part } = makeParts()
    const life = new Lifecycle([part('a', { stop: true }), part('b', { stop: true }), part('c')])
    await life.start()
    const error: unknown = await life.stop(deadline).catch((thrown: unknown) => thrown)
    expect(messageOf(error)).toBe('some parts did not stop cleanly: b failed to stop: b hangs; a failed to stop: a hangs')
    expect(log.slice(3)).toEqual(['stop c', 'stop b', 'stop a'])
  })

  it('tells both when the start fails and the stop after it too', async () => {
    const { part } = makeParts()
    const error: unknown = await new Lifecycle([part('a', { stop: true }), part('b', { start: true })]).start().catch((thrown: unknown) => thrown)
    expect(messageOf(error)).toContain('b cannot; a failed to stop: a hangs')
  })

  it('a stop in the middle of the start leaves nothing running', async () => {
    const { log, part } = makeParts()
    const slow = makeResolvers()
    const b: Component = { ...part('b'), start: () => slow.promise }
    const life = new Lifecycle([part('a'), b, part('c')])
    const started = life.start().catch((thrown: unknown) => codeOf(thrown))
    await Promise.resolve()
    await life.stop(deadline)
    slow.resolve()
    expect(await started).toBe('stopped')
    expect(log).toEqual(['start a', 'stop a', 'stop b'])
  })

  it('hands the deadline to every part', async () => {
    const seen: AbortSignal[] = []
    const life = new Lifecycle([{ name: 'a', start: async () => undefined, stop: async (signal) => void seen.push(signal) }])
    await life.start()
    await life.stop(deadline)
    expect(seen).toEqual([deadline])
  })
})

function makeResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => (resolve = done))
  return { promise, resolve }
}
