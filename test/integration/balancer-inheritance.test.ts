/** What a worker that begins, and a new primary, know of the ones before: breakers, what is held open by hand, used-up quotas. */
import { describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/balancer/index.ts'
import { ask, eventually, fieldOf, get, pause, service, type Origin, type SeenAnswer } from '../support/balancer-harness.ts'
import { useProxy } from '../support/proxy-fixture.ts'

const { proxy, origin } = useProxy({ per: 'test', workers: 1 })

const failing = () => origin(({ socket }) => socket.write('HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n'))
const breaker = { errorRate: 0.5, windowMs: 10_000, minimumRequests: 4, openMs: 30_000 }
const guarded = (behind: Origin): ServiceView => service([behind], { breaker, retries: { attempts: 0, budget: 0 } })
const isOpen = (answer: SeenAnswer): boolean => fieldOf(answer, 'proxy-status')?.includes('details="breaker open"') === true

/** The identifiers that a worker gives begin alike. */
const workerOf = (answer: SeenAnswer): string | undefined => fieldOf(answer, 'x-request-id')?.slice(0, 10)

/** Kills, and resolves with the first answer of a worker that was not there before. */
async function afterDeathOf(pid: number): Promise<SeenAnswer> {
  const before = workerOf(await ask(proxy.port, get()))
  process.kill(pid, 'SIGKILL')
  for (;;) {
    const answer = await ask(proxy.port, get()).catch(() => undefined)
    if (answer && workerOf(answer) !== before) return answer
    await pause(20)
  }
}

const workerPid = async (): Promise<number> => (await proxy.telemetry()).workers[0]!.pid

async function opened(): Promise<Origin> {
  const behind = await failing()
  await proxy.route(guarded(behind))
  for (let i = 0; i < 4; i++) await ask(proxy.port, get())
  const refused = await ask(proxy.port, get())
  expect(isOpen(refused)).toBe(true)
  // Told to the primary, and by it to the file.
  await eventually('it is told', () => proxy.signals.some((signal) => signal.type === 'breakerChanged' && signal.to === 'open'))
  await pause(100)
  return behind
}

describe('a breaker that is open', () => {
  it.each([
    ['worker', workerPid],
    ['primary', () => Promise.resolve(proxy.pid)],
  ])('is so for the rest of its time when the %s dies', async (_, victim) => {
    const behind = await opened()
    const asked = behind.requests.length
    await pause(1_500)
    const answer = await afterDeathOf(await victim())
    expect([answer.status, isOpen(answer)]).toEqual([503, true])
    // 30 s ±20 %, less what has passed.
    expect(Number(fieldOf(answer, 'retry-after'))).toBeLessThanOrEqual(35)
    expect(behind.requests).toHaveLength(asked)
    const { endpoints } = await proxy.telemetry()
    expect(Object.values(endpoints)[0]?.breaker).toBe('open')
  })
})

it('what is held open by hand stays so, and can be let go', async () => {
  const behind = await origin(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  await proxy.route(guarded(behind))
  await proxy.client.breaker('api', 'isolate')
  const answer = await afterDeathOf(proxy.pid)
  expect([answer.status, isOpen(answer)]).toEqual([503, true])
  await eventually('it is connected again', () => proxy.signals.some((signal) => signal.type === 'connected' && signal.pid !== proxy.pid))
  await proxy.client.breaker('api', 'close')
  expect((await ask(proxy.port, get())).status).toBe(200)
})

it('a quota that is used up is so for a new primary too', async () => {
  const behind = await origin(({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  await proxy.route(service([behind], { rateLimit: { key: { by: 'client-ip' }, rate: 3, periodMs: 600_000, burst: 3 } }))
  for (let i = 0; i < 3; i++) expect((await ask(proxy.port, get())).status).toBe(200)
  // Written down once a second.
  await pause(1_500)
  const answer = await afterDeathOf(proxy.pid)
  expect(answer.status).toBe(429)
  expect(Number(fieldOf(answer, 'retry-after'))).toBeGreaterThan(150)
})
