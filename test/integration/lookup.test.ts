/** Names that nobody answers for, against a DNS server that is silent: they hold no other name. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Names } from '../../src/kernel/lookup.ts'
import { DnsServer } from '../support/dns-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-names-'))
const hosts = join(folder, 'hosts')
const resolver = join(folder, 'resolv.conf')
let silent: Socket

beforeAll(async () => {
  writeFileSync(hosts, '10.0.0.7 listed.test other # a comment\n')
  writeFileSync(resolver, 'search shop.test\noptions ndots:1\n')
  silent = createSocket('udp4')
  silent.bind(0, '127.0.0.1')
  await once(silent, 'listening')
})
afterAll(() => {
  silent.close()
  rmSync(folder, { recursive: true, force: true })
})

it('names without an answer hold no other one', async () => {
  const names = new Names({ hosts, resolver, servers: [`127.0.0.1:${silent.address().port}`] })
  const dead = Promise.allSettled(Array.from({ length: 20 }, (_, index) => names.addressesOf(`dead-${index}.example`)))
  let isOver = false
  void dead.then(() => (isOver = true))
  for (let i = 0; i < 20; i++) {
    expect(await names.addressesOf('LISTED.test.')).toEqual([{ address: '10.0.0.7', family: 4 }])
    expect(await names.addressesOf('other')).toEqual([{ address: '10.0.0.7', family: 4 }])
    expect((await names.addressesOf('localhost'))[0]?.address).toBe('127.0.0.1')
    expect(await names.addressesOf('::1')).toEqual([{ address: '::1', family: 6 }])
  }
  expect(isOver).toBe(false)
  // A hosts file that changes is read anew.
  writeFileSync(hosts, '10.0.0.8 listed.test\n')
  await expect.poll(async () => (await names.addressesOf('listed.test'))[0]?.address).toBe('10.0.0.8')
  for (const one of await dead)
    expect(one).toMatchObject({
      status: 'rejected',
      reason: { code: 'ETIMEOUT', message: expect.stringContaining('no DNS server answers') as string },
    })
}, 30_000)

it('asks by the search list, and says that there is no such name', async () => {
  const server = await DnsServer.start()
  try {
    server.records = { 'db.shop.test': { A: ['192.0.2.1'] }, 'www.example': { A: ['192.0.2.2'] } }
    const names = new Names({ hosts, resolver, servers: [`127.0.0.1:${server.port}`] })
    expect(await names.addressesOf('db')).toEqual([{ address: '192.0.2.1', family: 4 }])
    expect(await names.addressesOf('www.example')).toEqual([{ address: '192.0.2.2', family: 4 }])
    await expect(names.addressesOf('no-such-name.invalid')).rejects.toThrow('tried to look up no-such-name.invalid: there is no such name')
  } finally {
    server.end()
  }
}, 30_000)
