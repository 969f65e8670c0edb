/** A request that kills instances, from the client to the event. */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileURLToPath } from 'node:url'
import { until } from '../chaos/wait.ts'
import { Product } from '../support/product.ts'

const crashing = `${process.execPath} ${fileURLToPath(new URL('../fixtures/crashing.mjs', import.meta.url))}`

let product: Product

beforeEach(async () => {
  product = await Product.create()
})
afterEach(async () => {
  expect(await product.end()).toEqual([])
})

async function start(instances: number, command = crashing): Promise<void> {
  product.configure({ web: { command, instances, env: { HITS_FILE: product.path('hits') } } })
  await product.up()
  await product.settled(instances)
}

const hits = (pattern: RegExp): number =>
  readFileSync(product.path('hits'), 'utf8')
    .split('\n')
    .filter((line) => pattern.test(line)).length

const send = async (path: string, init: RequestInit = {}): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string }> => {
  const response = await fetch(`${product.url}${path}`, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('a GET that crashes whoever it is sent to', () => {
  it('kills two of three, is answered 500 with the reason, and nobody else is', async () => {
    await start(3)
    const others = { sent: 0, failed: 0, done: false }
    const traffic = (async () => {
      while (!others.done) {
        const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send(`/item/${others.sent + i}`).then(({ status }) => status)))
        others.sent += answers.length
        others.failed += answers.filter((status) => status !== 200).length
      }
    })()
    const first = await send('/crash', { headers: { 'x-request-id': 'the-one' } })
    expect([first.status, first.headers.get('retry-after')]).toEqual([500, null])
    expect(first.headers.get('proxy-status')).toMatch(/^holdfast-.*; error=http_request_denied; details="quarantined id=[0-9a-f]{32}"$/)
    for (let i = 0; i < 20; i++) expect((await send('/crash')).status).toBe(500)
    others.done = true
    await traffic
    expect([hits(/GET \/crash$/), others.failed, others.sent > 8]).toEqual([2, 0, true])
    const quarantined = await product.ask<readonly { readonly request: string }[]>('/quarantine')
    expect(quarantined.map(({ request }) => request)).toEqual(['GET /crash'])
    const [event] = await until('it is told', async () => {
      const found = await product.events('request.quarantined')
      return found.length > 0 ? found : undefined
    })
    expect(event).toMatchObject({ level: 'error', service: 'web', data: { request: 'GET /crash', requestIds: ['the-one', 'the-one'] } })
    expect(JSON.stringify(event?.data)).toContain('cannot read the order of /crash')
    const { stdout } = await product.must('explain', 'the-one')
    expect(stdout).toMatch(/heard +web-\w+ +exit code=1.*: tried again/)
    expect(stdout).toMatch(/suspect +web-\w+ +it goes on trial, alone/)
    expect(stdout).toMatch(/suspect +instances die of it: it is in quarantine as [0-9a-f]{32}/)
    expect(stdout).toMatch(/refused +500 by the balancer, http_request_denied: quarantined/)
    await product.down()
  })

  it.each([
    ['by a signal, with a core dump', '/crash?how=abort', crashing],
    ['by a fault of memory', '/crash?how=segv', crashing],
    ['long after it has closed its connections', '/crash?dying=150', crashing],
    ['under a shell, which ends after it', '/crash', `${crashing} && true`],
  ])('kills two of three, also when they end %s', async (_how, path, command) => {
    await start(3, command)
    expect((await send(path)).status).toBe(500)
    expect((await send(path)).status).toBe(500)
    expect(hits(/GET \/crash/)).toBe(2)
    await product.down()
  })

  it('is sent again once an operator forgets it', async () => {
    await start(3)
    expect((await send('/crash?x=1')).status).toBe(500)
    const [request] = await product.ask<readonly { readonly id: string }[]>('/quarantine')
    expect((await product.must('quarantine')).stdout).toContain('GET /crash')
    await product.must('quarantine', 'forget', request?.id ?? '')
    expect(await product.ask('/quarantine')).toEqual([])
    const unknown = await product.run('quarantine', 'forget', 'f00')
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no request of this id is quarantined')])
    await product.settled(3)
    const before = hits(/GET \/crash/)
    expect((await send('/crash?x=1')).status).toBe(500)
    expect(hits(/GET \/crash/) - before).toBe(2)
    await product.down()
  })
})

describe('a POST that crashes whoever it is sent to', () => {
  it('is never sent again by us, and recognised by its body when its client tries again', async () => {
    await start(3)
    const post = (body: string) => send('/orders', { method: 'POST', body })
    expect((await post('poison')).status).toBe(502)
    expect((await post('poison')).status).toBe(500)
    for (let i = 0; i < 5; i++) expect((await post('poison')).status).toBe(500)
    expect((await post('harmless')).status).toBe(200)
    expect(hits(/POST/)).toBe(3)
    await product.down()
  })
})

describe('what is no crash', () => {
  it('keeps nobody waiting: an instance that resets connections and lives', async () => {
    await start(3)
    const [sick] = (await product.service()).instances
    await fetch(`http://127.0.0.1:${sick?.port}/resets`)
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const sentAt = performance.now()
      expect((await send(`/item/${i}`)).status).toBe(200)
      times.push(performance.now() - sentAt)
    }
    // With the time of crashes for the first one, and then a tenth of it for each, the twenty that met it would take 1.4 s.
    const slowest = times.toSorted((a, b) => b - a).slice(0, 20)
    expect(slowest.reduce((sum, each) => sum + each, 0)).toBeLessThan(1_000)
    expect(await product.ask('/quarantine')).toEqual([])
    await product.down()
  })

  it('puts nobody under suspicion: instances that are killed', async () => {
    await start(2)
    const slow = Array.from({ length: 4 }, () => send('/slow'))
    const [pid = 0] = await product.pids()
    process.kill(pid, 'SIGKILL')
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await product.ask('/quarantine')).toEqual([])
    await product.down()
  })
})
