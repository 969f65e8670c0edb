/**
 * Requests that have desynchronised proxies and origins, from the corpus of aws/http-desync-guardian, through the real
 * proxy to a recording origin. The corpus lies outside of this repository; without it these tests are skipped, aloud.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RulesView } from '../../src/balancer/core/rules/view.ts'
import type { TlsView } from '../../src/balancer/core/tls-view.ts'
import { ms } from '../../src/kernel/time.ts'
import { Origin, pause, plain, RawClient, readAnswer, readRequest, service, startProxy, type RunningProxy } from '../support/balancer-harness.ts'
import { makePair } from '../support/certificates.ts'

interface Case {
  readonly id: string
  readonly expectedTier: 'Compliant' | 'Acceptable' | 'Ambiguous' | 'Severe'
  readonly request_base64: string
  readonly fill: { readonly byte: string; readonly length: number } | null
  readonly mayRefuse?: readonly string[] | null
}

const corpus = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'http', 'desync-odd.json')
const present = existsSync(corpus)
if (!present) console.log('skipped: the desync corpus is not on this machine')
const cases = present ? (JSON.parse(readFileSync(corpus, 'utf8')) as Case[]) : []

/** What leaves no doubt about the length: our own strict reading finds it valid, and no name looks like a framing field that is none. */
const lookAlike = (name: string): boolean =>
  !['content-length', 'transfer-encoding'].includes(name) && /^[^a-z]*(content[^a-z]*length|transfer[^a-z]*encoding)[^a-z]*$/.test(name)

/** Rules that touch every request and every answer, and answer none of them. */
const everyRule: RulesView = {
  headers: {
    request: { set: { 'x-set': '1' }, add: { 'x-add': '1' }, remove: ['x-foo'] },
    response: { set: { server: 'shop' } },
    security: 'strict',
  },
  deny: ['192.0.2.1'],
  trustedProxies: ['192.0.2.2'],
  limits: { body: 1_024 ** 3, head: 32 * 1_024, target: 32 * 1_024 },
  compression: { enabled: true, encodings: ['br', 'gzip'], minSize: 0, types: ['*/*'] },
  cors: { origins: ['*'], methods: ['GET', 'POST'], headers: [], exposeHeaders: ['x-seen'], credentials: false, maxAge: ms(60_000) },
  pages: { '4xx': { contentType: 'text/html', body: '<p>no</p>' }, '5xx': { contentType: 'text/html', body: '<p>later</p>' } },
}
/** Nothing gets past this one. */
const redirected: RulesView = { redirect: { https: false, httpsPort: 443, to: 'https://elsewhere.test{uri}', status: 308 } }

let proxy: RunningProxy
let origin: Origin
let directory: string
let tls: TlsView

beforeAll(async () => {
  if (!present) return
  directory = mkdtempSync(join(tmpdir(), 'holdfast-desync-'))
  const { cert, key } = makePair(directory, 'a', { hosts: ['a.test'] })
  tls = { certificates: [{ cert, key, hosts: [] }], minVersion: 'TLSv1.2', requireClientCert: false }
  proxy = await startProxy()
  origin = await Origin.raw((socket) => {
    let input = Buffer.alloc(0)
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      for (let read = readRequest(input); typeof read === 'object'; read = readRequest(input)) {
        input = input.subarray(read.length)
        socket.write(plain('seen'))
      }
    })
  })
  await proxy.route(service([origin]))
})

afterAll(async () => {
  if (!present) return
  await proxy.stop()
  await origin.stop()
  rmSync(directory, { recursive: true })
})

/** Sends the case on a new connection to a fresh start of the record; gives what reached the origin and the answers. */
async function send(
  each: Case,
  rules: RulesView | undefined,
  secure: boolean,
): Promise<{ readonly reached: Buffer; readonly statuses: readonly number[] }> {
  // A new view makes a new pool, so that every case begins on a connection of its own.
  origin.received.length = 0
  const listeners = [{ name: 'web', host: '127.0.0.1', port: proxy.port, ...(secure ? { tls } : {}) }]
  await proxy.apply({ listeners, services: [service([])] })
  await proxy.apply({ listeners, services: [service([origin], { rules })] })
  const client = await (secure ? RawClient.toTls(proxy.port) : RawClient.to(proxy.port))
  client.send(Buffer.from(each.request_base64, 'base64'))
  if (each.fill) client.send(Buffer.alloc(each.fill.length, each.fill.byte))
  const head = Buffer.from(each.request_base64, 'base64').toString('latin1').startsWith('HEAD') ? 'HEAD' : 'GET'
  const end = performance.now() + 1_000
  while (!client.ended && !client.closed && performance.now() < end) {
    if (readAnswer(client.rest, head, false) && performance.now() > end - 850) break
    await pause(5)
  }
  const statuses = [...client.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]))
  client.destroy()
  await pause(5)
  return { reached: Buffer.concat(origin.received.flat()), statuses }
}

function judge(each: Case, reached: Buffer, statuses: readonly number[]): string | undefined {
  const text = reached.toString('latin1')
  if (text.includes('/smuggled')) return 'a smuggled request reached the origin'
  switch (each.expectedTier) {
    case 'Severe':
      if (reached.length > 0) return `reached the origin: ${JSON.stringify(text.slice(0, 300))}`
      return statuses.every((status) => status >= 400) ? undefined : `was answered ${statuses.join()}`
    case 'Compliant': {
      const refused = reached.length === 0 && statuses[0] !== undefined && statuses[0] >= 400
      if (refused && (each.mayRefuse?.length ?? 0) > 0) return undefined
      const read = readRequest(reached)
      if (typeof read !== 'object') return `was not forwarded whole: ${String(read)}, answers ${statuses.join()}`
      return read.length === reached.length && statuses[0] === 200 ? undefined : `was not forwarded once: ${reached.length - read.length} bytes more`
    }
    case 'Ambiguous': {
      if (reached.length === 0) return undefined
      let rest = reached
      while (rest.length > 0) {
        const read = readRequest(rest)
        if (typeof read !== 'object') return `was forwarded in doubtful form: ${String(read)}`
        const doubtful = read.request.fields.find(([name]) => lookAlike(name))
        if (doubtful) return `a look-alike was forwarded: ${doubtful[0]}`
        rest = rest.subarray(read.length)
      }
      return undefined
    }
    case 'Acceptable':
      return undefined
  }
}

describe.runIf(present)('the desync corpus', () => {
  it('has the cases it says it has', () => {
    expect(cases).toHaveLength(82)
    expect(cases.filter(({ expectedTier }) => expectedTier === 'Severe')).toHaveLength(32)
  })

  describe.each([
    ['as it is', undefined, false],
    ['with HTTP rules', everyRule, false],
    ['with HTTP rules, over TLS', everyRule, true],
  ])('%s', (_name, rules, secure) => {
    it.each(cases.map((each) => [each.expectedTier, each.id, each] as const))('%s %s', async (_tier, _id, each) => {
      const { reached, statuses } = await send(each, rules, secure)
      expect(judge(each, reached, statuses)).toBeUndefined()
    })
  })

  it('reaches nobody past a redirect', async () => {
    for (const each of cases) {
      const { reached } = await send(each, redirected, false)
      expect([each.id, reached.toString('latin1')]).toEqual([each.id, ''])
    }
  })
})
