/** The error of a port in use, with the name of who holds it: a new user's first question. */
import { HoldfastError } from '../kernel/errors.ts'
import { describeOwner, ownerOfPort } from '../kernel/port-owner.ts'

interface Place {
  readonly code?: unknown
  readonly port?: unknown
}

/** Any other error, and one whose port nobody can be seen on, as it is. */
export function nameOwner(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'listen_failed') return error
  const { code, port } = (error.details ?? {}) as Place
  const told = code === 'EADDRINUSE' && typeof port === 'number' ? port : toldIn(error.message)
  const owner = told === undefined ? undefined : ownerOfPort(told)
  if (!owner) return error
  return new HoldfastError(error.code, `${error.message} by ${describeOwner(owner)}`, {
    // How to find out who it is has been answered.
    ...(error.hint !== undefined && { hint: error.hint.replace(/^.*\bend it,? or /, 'end it, or ') }),
    details: { ...(error.details as object), owner },
  })
}

/** What comes from the proxy has lost its details on the way: `listening on 0.0.0.0:8080 failed: the address is in use`. */
function toldIn(message: string): number | undefined {
  const port = /:(\d+) failed: the address is in use$/.exec(message)?.[1]
  return port === undefined ? undefined : Number(port)
}
