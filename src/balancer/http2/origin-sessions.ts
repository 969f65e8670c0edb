/** The shared connections to one endpoint: one, until it has as many requests as it takes. */
import type { EndpointPool, UpstreamUser } from '../worker/upstream.ts'
import { originSessionsMax } from './limits.ts'
import { OriginSession } from './origin-session.ts'
import { OriginStream } from './origin-stream.ts'

export class OriginSessions {
  readonly #pool: EndpointPool
  readonly #sessions = new Set<OriginSession>()

  constructor(pool: EndpointPool) {
    this.#pool = pool
  }

  get size(): number {
    return this.#sessions.size
  }

  /** A stream on a connection that stands; undefined: there is none with room. */
  take(): OriginStream | undefined {
    for (const session of this.#sessions)
      if (session.connected && session.hasRoom && session.dialer === this.#pool.dialer) return new OriginStream(this.#pool, session, undefined)
    return undefined
  }

  /** A stream whose user hears when it can be used. */
  open(user: UpstreamUser): OriginStream {
    const session = this.#withRoom() ?? this.#connect()
    const stream = new OriginStream(this.#pool, session, user)
    if (session.connected) process.nextTick(() => stream.user?.upstreamConnected(stream))
    return stream
  }

  #withRoom(): OriginSession | undefined {
    let least: OriginSession | undefined
    for (const session of this.#sessions) {
      if (session.dialer !== this.#pool.dialer) continue
      if (session.hasRoom) return session
      if (session.usable && (least === undefined || session.streams.size < least.streams.size)) least = session
    }
    // Beyond this the requests wait in the sessions there are, until the endpoint takes them.
    return this.#sessions.size >= originSessionsMax ? least : undefined
  }

  #connect(): OriginSession {
    const session = new OriginSession(this.#pool, (closed) => {
      this.#sessions.delete(closed)
    })
    this.#sessions.add(session)
    return session
  }

  sweep(now: number, all: boolean): void {
    for (const session of [...this.#sessions]) session.sweep(now, all || session.dialer !== this.#pool.dialer)
  }
}
