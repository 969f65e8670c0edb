/** Profiles of real instances, recorded through the whole product: CPU, heap, collections. */
import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'
import type { Flame } from '../../src/app/profile-operations.ts'

const script = fileURLToPath(new URL('../fixtures/busy.mjs', import.meta.url))
const register = fileURLToPath(new URL('../../dist/instance/register.js', import.meta.url))
let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

it('an instance that reports is profiled on demand; others say what they lack', async () => {
  product.configure({
    shop: { command: `${process.execPath} --import ${register} ${script}`, instances: 2 },
    plain: { command: `${process.execPath} ${script}`, routes: [{ path: '/plain' }] },
  })
  await product.up()
  await until('both instances report', async () => {
    const { endpoints } = await product.service('shop')
    return endpoints.every(({ reported }) => reported !== undefined) || undefined
  })
  const cpu = await product.must('profile', 'shop', '--cpu', '500ms', '-o', 'shop.cpuprofile', '--json')
  const { data: done } = JSON.parse(cpu.stdout) as { data: { id: string; instance: string; hottest: { name: string; at: string; share: number }[] } }
  expect(done.hottest[0]).toMatchObject({ name: 'burn', at: expect.stringMatching(/busy\.mjs:\d+$/) as string })
  expect(done.hottest[0]!.share).toBeGreaterThan(0.2)
  const saved = JSON.parse(readFileSync(product.path('shop.cpuprofile'), 'utf8')) as { nodes: unknown[]; samples: unknown[] }
  expect(saved.samples.length).toBeGreaterThan(100)
  const flame = await product.ask<Flame>(`/profiles/${done.id}/flame`)
  expect(flame.root.totalMs).toBeGreaterThan(300)
  expect(statSync(product.path('data', 'profiles', `${done.id}.cpuprofile`)).mode & 0o777).toBe(0o600)

  const heap = await product.must('profile', 'shop', '--heap', '--instance', done.instance, '-o', 'shop.heapsnapshot')
  expect(heap.stdout).toMatch(new RegExp(`^recorded heap of ${done.instance} \\(pid \\d+\\): \\d+ KiB, saved as shop.heapsnapshot$`, 'm'))
  expect(readFileSync(product.path('shop.heapsnapshot'), 'utf8').slice(0, 12)).toBe('{"snapshot":')

  const gc = await product.must('profile', 'shop', '--gc', '500ms', '-o', 'shop.json')
  expect(gc.stderr).toContain('recording gc of shop-')
  const record = JSON.parse(readFileSync(product.path('shop.json'), 'utf8')) as { lagMs: Record<string, number>; collections: { kind: string }[] }
  expect(record.collections.length).toBeGreaterThan(0)
  expect(record.lagMs.p99).toBeGreaterThan(0)

  const plain = await product.run('profile', 'plain', '--cpu', '1s')
  expect([plain.code, plain.stderr]).toEqual([1, expect.stringContaining('it reports nothing')])
  const both = await product.run('profile', 'shop', '--cpu', '1s', '--heap')
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('exclude each other')])

  // One that dies while it is recorded.
  const dying = product.start(['profile', 'shop', '--cpu', '20s', '--instance', done.instance])
  await until('it is recorded', () => dying.stderr.includes('recording cpu') || undefined)
  const busy = await product.run('profile', 'shop', '--cpu', '1s', '--instance', done.instance)
  expect(busy.stderr).toContain('it is being profiled already')
  const { instances } = await product.service('shop')
  process.kill(instances.find(({ id }) => id === done.instance)!.pid!, 'SIGKILL')
  expect((await dying.ended).stderr).toMatch(/failed: the instance ended, or gave up/)
  const recorded = await product.events('profile.recorded')
  expect(recorded.map(({ data }) => data.kind).sort()).toEqual(['cpu', 'gc', 'heap'])
  expect((await product.events('profile.failed')).map(({ instance }) => instance)).toEqual([done.instance])
  await product.down()
})
