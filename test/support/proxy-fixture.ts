/** A proxy for the tests of a file, and what a test opens around it: all of it is closed again. */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { Origin, plain, RawClient, service, startProxy, type AnswerRequest, type RunningProxy } from './balancer-harness.ts'

export interface ProxyFixture {
  /** To be used within hooks and tests: outside of them there is none. */
  readonly proxy: RunningProxy
  /** Each whole request is given to `answer`. */
  origin(answer: AnswerRequest, port?: number): Promise<Origin>
  /** Answers everything with this body. */
  serving(body?: string): Promise<Origin>
  /** Closed after the test. */
  kept(origin: Promise<Origin>): Promise<Origin>
  /** The same, and all requests go there from now on. */
  routed(origin: Promise<Origin>): Promise<Origin>
  /** A connection to the proxy. */
  connect(): Promise<RawClient>
}

/** `per`: a new proxy for each test, or one for all of the file. */
export function useProxy({ per, workers = 1 }: { readonly per: 'file' | 'test'; readonly workers?: number }): ProxyFixture {
  // Filled in when it runs, so that tests can take it apart from the fixture.
  const proxy = {} as RunningProxy
  const origins: Origin[] = []
  const clients: RawClient[] = []
  const start = async (): Promise<void> => {
    Object.assign(proxy, await startProxy(workers))
  }
  if (per === 'file') {
    beforeAll(start)
    afterAll(() => proxy.stop())
  } else beforeEach(start)
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    if (per === 'test') await proxy.stop()
    await Promise.all(origins.splice(0).map((origin) => origin.stop()))
  })
  const kept = async (starting: Promise<Origin>): Promise<Origin> => {
    const origin = await starting
    origins.push(origin)
    return origin
  }
  const origin = (answer: AnswerRequest, port?: number): Promise<Origin> => kept(Origin.start(answer, port))
  return {
    proxy,
    origin,
    kept,
    serving: (body = 'ok') => origin(({ socket }) => socket.write(plain(body))),
    async routed(starting) {
      const origin = await kept(starting)
      await proxy.route(service([origin]))
      return origin
    },
    async connect() {
      const client = await RawClient.to(proxy.port)
      clients.push(client)
      return client
    },
  }
}
