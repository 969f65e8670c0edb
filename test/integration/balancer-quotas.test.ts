/** Limits that hold over all workers of a proxy, whichever of them the load falls on, and whoever of them dies. */
import { beforeEach, describe, expect, it } from 'vitest'
import { ask, eventually, fieldOf, get, type Origin, pause, type RawClient, service, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, serving, connect } = useProxy({ per: 'test', workers: 2 })
let origin: Origin

beforeEach(async () => {
  origin = await serving('served')
})

interface Asked {
  readonly answer: () => SeenAnswer | undefined
}

/** Sends one request on each connection, all at once. */
function askAll(connections: readonly RawClient[], fields = ''): readonly Asked[] {
  return connections.map((client) => {
    let answer: SeenAnswer | undefined
    client.send(get('/', fields))
    client.answer('GET', 30_000).then(
      (seen) => {
        answer = seen
      },
      () => undefined,
    )
    return { answer: () => answer }
  })
}

const withStatus = (asked: readonly Asked[], status: number): number => asked.filter(({ answer }) => answer()?.status === status).length

/** Resolves when nothing has been answered for a while: whoever has no answer then is parked. */
async function settled(asked: readonly Asked[]): Promise<{ readonly parked: number; readonly refused: number }> {
  for (let before = -1, same = 0; same < 10;) {
    await pause(50)
    const refused = withStatus(asked, 503)
    same = refused === before ? same + 1 : 0
    before = refused
  }
  const refused = withStatus(asked, 503)
  return { parked: asked.length - refused - withStatus(asked, 200), refused }
}

/** Kept connections by the worker that has them: the identifiers that a worker gives begin alike. */
async function connectionsByWorker(count: number): Promise<RawClient[][]> {
  const byWorker = new Map<string, RawClient[]>()
  for (let made = 0; byWorker.size < 2 || [...byWorker.values()].some(({ length }) => length < count); made++) {
    if (made > 4_000) throw new Error('all connections go to one worker')
    const client = await connect()
    client.send(get())
    const worker = fieldOf(await client.answer(), 'x-request-id')!.slice(0, 10)
    byWorker.set(worker, [...(byWorker.get(worker) ?? []), client])
  }
  return [...byWorker.values()]
}

const parking = { timeoutMs: 60_000, requests: 100, bytes: 16 * 1024 * 1024 }
const away = (more: Partial<typeof parking> = {}) => service([], { managed: true, coming: true, parking: { ...parking, ...more } })
const back = () => service([origin], { managed: true, parking })

describe('the limit of what is parked', () => {
  it('is for one worker to use up when the load falls on it alone, and then there is no place in the other', async () => {
    await proxy.route(back())
    const [busy, idle] = await connectionsByWorker(120)
    await proxy.route(away())
    const burst = askAll(busy!.slice(0, 110))
    expect(await settled(burst)).toEqual({ parked: 100, refused: 10 })
    expect((await proxy.telemetry()).services.api).toMatchObject({ parked: 100 })
    expect(await settled(askAll(idle!.slice(0, 5)))).toEqual({ parked: 0, refused: 5 })
    await proxy.route(back())
    await eventually('those that were parked are served', () => withStatus(burst, 200) === 100)
    // What was used up is free again, for the other one too.
    await proxy.route(away())
    const second = askAll(idle!.slice(10, 120))
    expect(await settled(second)).toEqual({ parked: 100, refused: 10 })
  })

  it('is for all workers together under ten times as much', async () => {
    await proxy.route(back())
    const all = (await connectionsByWorker(200)).map((each) => each.slice(0, 200)).flat()
    await proxy.route(away({ requests: 40 }))
    const { parked } = await settled(askAll(all))
    expect(parked).toBeLessThanOrEqual(40)
    expect(parked).toBeGreaterThanOrEqual(38)
  })

  it('holds in bytes as well', async () => {
    await proxy.route(back())
    const all = (await connectionsByWorker(60)).map((each) => each.slice(0, 60)).flat()
    const [limit, head] = [256 * 1024, 12 * 1024]
    await proxy.route(away({ bytes: limit }))
    const { parked } = await settled(askAll(all, `X-Large: ${'x'.repeat(head)}\r\n`))
    expect(parked * head).toBeLessThanOrEqual(limit)
    expect(parked).toBeGreaterThanOrEqual(18)
  })

  it('is free again at once when the worker that used it dies', async () => {
    await proxy.route(back())
    const [busy, other] = await connectionsByWorker(100)
    await proxy.route(away())
    expect((await settled(askAll(busy!.slice(0, 100)))).parked).toBe(100)
    const { workers } = await proxy.telemetry()
    const victim = workers.find(({ connections }) => connections === busy!.length)
    process.kill(victim!.pid, 'SIGKILL')
    await eventually('it is missed', () => proxy.signals.some((signal) => signal.type === 'workerExited' && signal.pid === victim!.pid))
    expect(await settled(askAll(other!.slice(0, 90)))).toEqual({ parked: 90, refused: 0 })
  })

  it('counts what orphans hold after the death of the primary', async () => {
    await proxy.route(back())
    const all = (await connectionsByWorker(30)).map((each) => each.slice(0, 30)).flat()
    await proxy.route(away())
    expect((await settled(askAll(all))).parked).toBe(60)
    process.kill(proxy.pid, 'SIGKILL')
    await eventually('an heir is found', () => proxy.signals.some((signal) => signal.type === 'connected' && signal.pid !== proxy.pid))
    await eventually('its workers count', () => proxy.client.telemetry()?.workers.length === 4)
    const fresh = await Promise.all(Array.from({ length: 200 }, () => connect()))
    const { parked } = await settled(askAll(fresh))
    expect(parked).toBeLessThanOrEqual(40)
    expect(parked).toBeGreaterThanOrEqual(36)
  })

  it('follows the configuration', async () => {
    await proxy.route(back())
    const all = (await connectionsByWorker(40)).map((each) => each.slice(0, 40)).flat()
    await proxy.route(away({ requests: 10 }))
    expect((await settled(askAll(all.slice(0, 20)))).parked).toBeLessThanOrEqual(10)
    await proxy.route(away({ requests: 50 }))
    const { parked } = await settled(askAll(all.slice(20)))
    expect(parked).toBeGreaterThanOrEqual(38)
    expect(parked).toBeLessThanOrEqual(42)
    await proxy.route(service([], { managed: true, coming: true }))
    expect((await ask(proxy.port, get())).status).toBe(503)
  })
})
