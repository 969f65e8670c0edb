/** The control process's end of a data plane that was lost as a whole: it starts another, tells what fails meanwhile, and does not give up. */
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { ask, eventually, get, type Origin, pause, service } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, serving } = useProxy({ per: 'test' })
let origin: Origin

beforeEach(async () => {
  origin = await serving('served')
})

/** All its processes in one moment, so that no worker is left to start an heir. */
function killAll(): void {
  const workers = readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
  for (const pid of [proxy.pid, ...workers]) process.kill(pid, 'SIGKILL')
}

const told = (type: 'reconnectFailed' | 'viewRefused'): string[] =>
  proxy.signals.flatMap((signal) => (signal.type === type && 'reason' in signal ? [signal.reason] : []))
const isBack = (): boolean => proxy.signals.some((signal) => signal.type === 'connected')

/** The new proxy has the view of the old one. */
function routes(): boolean {
  const telemetry = proxy.client.telemetry()
  return telemetry !== undefined && telemetry.pid !== proxy.pid && telemetry.viewVersion === 1
}

/** Listens there as soon as nobody else does. */
async function take(port: number): Promise<Server> {
  for (;;) {
    const taken = createServer()
    const listens = await new Promise<boolean>((resolve) => {
      taken.once('error', () => {
        resolve(false)
      })
      taken.listen(port, '127.0.0.1', () => {
        resolve(true)
      })
    })
    if (listens) return taken
    await pause(5)
  }
}

describe.runIf(process.platform === 'linux')('a lost data plane', () => {
  it('that cannot be started again is told, and started when it can be', async () => {
    await proxy.route(service([origin]))
    const log = join(proxy.directory, 'logs', 'proxy.log')
    renameSync(log, `${log}.kept`)
    mkdirSync(log)
    killAll()
    await eventually('it is told', () => told('reconnectFailed')[0]?.startsWith('starting the proxy failed: EISDIR'))
    await pause(200)
    expect(told('reconnectFailed')).toHaveLength(1)
    rmSync(log, { recursive: true })
    await eventually('it is back', isBack, 20_000)
    await eventually('it has its view', routes)
    expect((await ask(proxy.port, get())).text).toBe('served')
  })

  it('that does not take the view when it is back is told, and given it until it does', async () => {
    await proxy.route(service([origin]))
    killAll()
    const taken = await take(proxy.port)
    await eventually('it is back', isBack, 20_000)
    await eventually('it is told', () => told('viewRefused')[0] === `listening on 127.0.0.1:${proxy.port} failed: the address is in use`)
    await new Promise((resolve) => taken.close(resolve))
    await eventually('it has its view', routes)
    expect((await ask(proxy.port, get())).text).toBe('served')
    expect(told('viewRefused')).toHaveLength(1)
  })

  it('gets the view that was in force, not one that was refused before', async () => {
    await proxy.route(service([origin]))
    const taken = await take(0)
    const { port } = taken.address() as { port: number }
    const refused = proxy.apply({ listeners: [{ name: 'web', host: '127.0.0.1', port }], services: [] })
    await expect(refused).rejects.toMatchObject({ code: 'listen_failed' })
    killAll()
    await eventually('it has its view', routes, 20_000)
    expect((await ask(proxy.port, get())).text).toBe('served')
    expect(told('viewRefused')).toEqual([])
    await new Promise((resolve) => taken.close(resolve))
  })
})
