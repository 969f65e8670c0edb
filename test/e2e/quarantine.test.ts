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

async function start(instances: number): Promise<void> {
  product.configure({ web: { command: crashing, instances, env: { HITS_FILE: product.path('hits') } } })
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
