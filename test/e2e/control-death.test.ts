/** The control process dies of `kill -9`: nothing else does, and the next one takes over. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../chaos/wait.ts'
import { pidsOf, Product, type Running } from '../support/product.ts'

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

/** The target holds on an idle machine, the limit on one that runs other tests. */
const adoptionTargetMs = 1_000
const adoptionLimitMs = 4_000

async function killControl(control: Running): Promise<void> {
  control.signal('SIGKILL')
  await control.ended
}

describe('kill -9 of the control process', () => {
  it('costs no request; the next up takes over the same processes and records it', async () => {
    product.configure({ web: { instances: 2 } })
    const first = await product.up()
    const before = await product.service()
    const { pid: proxyBefore } = (await product.overview()).proxy ?? {}
    await killControl(first)
    expect((await product.get()).status).toBe(200)
    expect((await product.run('status')).code).toBe(3)

    const second = product.start(['up'])
    await until('the instances are adopted', async () => {
      const overview = await product.tryOverview()
      return overview?.pid === second.pid && overview.services[0]?.ready === 2 ? true : undefined
    })
    console.log(`taken over ${second.ms.toFixed(0)} ms after the second holdfast up (target ${adoptionTargetMs} ms)`)
    expect(second.ms).toBeLessThan(adoptionLimitMs)
    await product.serves(second)
    const after = await product.service()
    expect(after.instances.map(({ id, pid, port, startedAt }) => ({ id, pid, port, startedAt }))).toEqual(
      before.instances.map(({ id, pid, port, startedAt }) => ({ id, pid, port, startedAt })),
    )
    expect((await product.overview()).proxy?.pid).toBe(proxyBefore)
    const adopted = await product.events('instance.adopted')
    expect(adopted.map(({ data }) => data.pid).toSorted((a, b) => a - b)).toEqual(pidsOf(before.instances))
    expect((await product.events('proxy.adopted')).map(({ data }) => data.pid)).toEqual([proxyBefore])
    expect((await product.events('holdfast.started'))[0]?.data).toMatchObject({ adopted: 2, pid: second.pid })
    await product.down()
  })

  it('a configuration that was changed meanwhile is applied: what differs is replaced, the rest is adopted', async () => {
    product.configure({ web: { env: { RELEASE: '1' } }, other: { routes: [{ path: '/other' }] }, gone: { routes: [{ path: '/gone' }] } })
    await killControl(await product.up())
    const processes = product.survivors()
    product.configure({ web: { env: { RELEASE: '2' }, instances: 2 }, other: { routes: [{ path: '/other' }] } })
    await product.up()
    const { instances } = await product.settled(2)
    expect(instances.map(({ revision }) => revision)).toEqual([2, 2])
    expect(JSON.parse((await product.get()).text)).toMatchObject({ release: '2' })
    expect(processes).toEqual(expect.arrayContaining(await product.pids('other')))
    await until('the removed service is gone', async () => ((await product.overview()).services.length === 2 ? true : undefined))
    // Control, proxy, two workers, two of web, one of other.
    await until('nothing of it runs', () => (product.survivors().length === 7 ? true : undefined))
    await product.down()
  })

  it('fewer instances than run: those too many are drained before they are stopped', async () => {
    const settings = { env: { HASTY: '1', SERVICE_MS: '300' } }
    product.configure({ web: { ...settings, instances: 3 } })
    await killControl(await product.up())
    product.configure({ web: { ...settings, instances: 1 } })
    let over = false
    const statuses: (number | string)[] = []
    const post = async (): Promise<void> => {
      while (!over) {
        const answer = await fetch(product.url, { method: 'POST', body: 'order' }).catch((error: unknown) => error)
        statuses.push(answer instanceof Response ? answer.status : String(answer))
        if (answer instanceof Response) await answer.text()
      }
    }
    const posting = Array.from({ length: 12 }, post)
    await product.up()
    await product.settled(1)
    over = true
    await Promise.all(posting)
    expect(statuses.filter((status) => status !== 200)).toEqual([])
    expect(statuses.length).toBeGreaterThan(12)
    expect((await product.overview()).services[0]?.endpoints.map(({ state }) => state)).toEqual(['active'])
    await product.down()
  })

  it('an instance that dies meanwhile is started again by the next one, and only that', async () => {
    product.configure({ web: { instances: 2 } })
    const first = await product.up()
    const [victim = NaN, survivor] = await product.pids()
    await killControl(first)
    process.kill(victim, 'SIGKILL')
    expect((await product.get()).status).toBe(200)
    await product.up()
    const pids = pidsOf((await product.settled(2)).instances)
    expect([pids.includes(victim), pids.includes(survivor ?? NaN)]).toEqual([false, true])
    expect((await product.get()).status).toBe(200)
    await product.down()
  })

  it('down stops what the dead one has left', async () => {
    product.configure({ web: { instances: 2 } })
    await killControl(await product.up())
    const { code, stdout } = await product.run('down')
    // The proxy, its two workers and two instances.
    expect([code, stdout]).toEqual([0, expect.stringContaining('stopped 5 processes that a dead control process had left')])
    expect(product.survivors()).toEqual([])
  })

  it('a start that is killed at any moment leaves nothing that the next one does not find', async () => {
    product.configure({ web: { instances: 2 } })
    for (const afterMs of [150, 300, 400, 500, 600, 800]) {
      const dying = product.start(['up'])
      await sleep(afterMs)
      await killControl(dying)
    }
    await product.up()
    await product.settled(2)
    // Control, proxy, two workers, two instances: nobody is there twice.
    await until('six processes', () => (product.survivors().length === 6 ? true : undefined), 10_000)
    await product.down()
  })
})
