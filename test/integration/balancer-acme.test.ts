/** What an ACME authority asks for, through the real data plane: nothing that stands in the way of other requests stands in its way. */
import { expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, get, plain, service, type Origin } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'file' })
const path = '/.well-known/acme-challenge/'
const challenges = { tok: 'tok.thumb' }

async function behind(more: (made: Origin) => Partial<ServiceView>, challenges?: Readonly<Record<string, string>>): Promise<Origin> {
  const made = await origin(({ socket }) => socket.write(plain('of the service')))
  const listeners = [{ name: 'web', host: '127.0.0.1', port: proxy.port }]
  await proxy.apply({ listeners, services: [service([made], more(made))], ...(challenges && { challenges }) })
  return made
}

it.each([
  ['a service takes the path', () => ({ routes: [{ listener: 'web', path, stripPath: false }] })],
  ['all goes to https', () => ({ rules: { redirect: { https: true, httpsPort: 443, status: 308 } } })],
  ['it is under maintenance', () => ({ maintenance: true })],
  ['nobody may come in', () => ({ rules: { deny: ['127.0.0.1'] } })],
  ['no endpoint is there', () => ({ endpoints: [] })],
  ['no route leads there', () => ({ routes: [{ listener: 'web', host: 'other.test', path: '/', stripPath: false }] })],
] as readonly (readonly [string, () => Partial<ServiceView>])[])('is answered when %s', async (_when, more) => {
  const made = await behind(more, challenges)
  const answer = await ask(proxy.port, get(`${path}tok`))
  expect([answer.status, answer.text]).toEqual([200, 'tok.thumb'])
  expect(made.requests).toHaveLength(0)
})

it('leaves the path to the service when the token is not known, and when no order is under way', async () => {
  await behind(() => ({}), challenges)
  expect((await ask(proxy.port, get(`${path}other`))).text).toBe('of the service')
  await behind(() => ({}))
  expect((await ask(proxy.port, get(`${path}tok`))).text).toBe('of the service')
})
