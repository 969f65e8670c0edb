/** What is known of whoever sent a request, from its first hook to its last. */
import type { Principal } from '../access/index.ts'
import type { Actor } from '../app/operations.ts'

export interface Caller {
  readonly principal: Principal | undefined
  readonly actor: Actor
  /** The event that let a changing request in; its outcome is recorded once. */
  readonly granted: string | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
    /** Why it failed, for the record of its outcome. */
    failure: string | undefined
  }
}

export const anonymousName = 'anonymous'

export const anonymous = (address: string): Caller => ({
  principal: undefined,
  actor: { name: anonymousName, address },
  granted: undefined,
})
