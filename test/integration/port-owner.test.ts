/** Who holds a port, read from the real `/proc`. */
import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { nameOwner } from '../../src/app/port-conflict.ts'
import { HoldfastError } from '../../src/kernel/errors.ts'
import { describeOwner, ownerOfPort } from '../../src/kernel/port-owner.ts'

const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

async function listen(host: string): Promise<number> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

describe.runIf(process.platform === 'linux')('the owner of a port', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::'])('that listens on %s is found with its command', async (host) => {
    const port = await listen(host)
    expect(ownerOfPort(port)).toMatchObject({ pid: process.pid, command: expect.stringContaining('node') as string })
  })

  it('is nobody when nobody listens', async () => {
    const port = await listen('127.0.0.1')
    const [server] = servers.splice(0)
    await new Promise((resolve) => server?.close(resolve))
    expect(ownerOfPort(port)).toBeUndefined()
  })

  it('is named in the error of a listener, and only there', async () => {
    const port = await listen('127.0.0.1')
    const details = { host: '127.0.0.1', port, code: 'EADDRINUSE' }
    const taken = new HoldfastError('listen_failed', `listening on 127.0.0.1:${port} failed: the address is in use`, {
      hint: 'find who with "ss", end it or take another',
      details,
    })
    expect(nameOwner(taken)).toMatchObject({
      code: 'listen_failed',
      message: expect.stringMatching(/: the address is in use by pid \d+ \(.*node.*\)$/) as string,
      hint: 'end it, or take another',
      details: { ...details, owner: { pid: process.pid } },
    })
    const { message } = taken
    expect(nameOwner(new HoldfastError('listen_failed', message))).toMatchObject({ details: { owner: { pid: process.pid } } })
    const other = new HoldfastError('listen_failed', 'no', { details: { ...details, code: 'EACCES' } })
    expect([nameOwner(other), nameOwner('x')]).toEqual([other, 'x'])
  })
})

describe('describeOwner', () => {
  it('says what is known', () => {
    expect(describeOwner({ pid: 7, command: 'node x.js' })).toBe('pid 7 (node x.js)')
    expect(describeOwner({ pid: 7, command: '' })).toBe('pid 7')
  })
})
