/** Opening and closing the listeners of the API and of the metrics: the same words when a port is taken, the same end. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { codeOf, HoldfastError, messageOf } from '../kernel/errors.ts'

export interface ListenAddress {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** What listens and which key says where: `the API`, `api.port`. */
  readonly what: string
  readonly key: string
}

/** Resolves with the address as a URL. Rejects with `listen_failed`. */
export async function listen(app: FastifyInstance, address: ListenAddress): Promise<string> {
  const { host, port } = address
  try {
    await app.listen({ host, port })
  } catch (cause) {
    await app.close()
    throw listenFailed(address, cause)
  }
  const bound = app.server.address() as AddressInfo
  return `http://${bracketed(reachable(host))}:${bound.port}`
}

/** Lets requests finish until the deadline, then cuts what is left. */
export async function close(app: FastifyInstance, deadline: AbortSignal): Promise<void> {
  const cut = (): void => {
    app.server.closeAllConnections()
  }
  if (deadline.aborted) cut()
  deadline.addEventListener('abort', cut, { once: true })
  try {
    await app.close()
  } finally {
    deadline.removeEventListener('abort', cut)
  }
}

function listenFailed({ host, port, what, key }: ListenAddress, cause: unknown): HoldfastError {
  const place = `${bracketed(host)}:${port}`
  const { reason, hint } = explain(cause, port, key)
  // The cause would say the same once more.
  return new HoldfastError('listen_failed', `${what} could not listen on ${place}: ${reason}`, { hint, details: { host, port, code: codeOf(cause) } })
}

function explain(cause: unknown, port: number, key: string): { readonly reason: string; readonly hint: string } {
  const code = codeOf(cause)
  switch (code) {
    case 'EADDRINUSE':
      return {
        reason: 'the address is in use',
        hint: `see by whom with: ss -ltnp 'sport = :${port}' (or lsof -iTCP:${port} -sTCP:LISTEN); end it, or set ${key} to a free port`,
      }
    case 'EACCES':
      return {
        reason: 'this user may not use the port (EACCES)',
        hint: `set ${key} to a port above 1023, or allow it with: setcap cap_net_bind_service=+ep`,
      }
    case 'EADDRNOTAVAIL':
      return {
        reason: 'the host is no address of this machine (EADDRNOTAVAIL)',
        hint: `set ${key.replace('port', 'host')} to one of: ip -brief address`,
      }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { reason: `the host name cannot be resolved (${code})`, hint: `set ${key.replace('port', 'host')} to an address` }
    default:
      return { reason: code ?? messageOf(cause), hint: `set ${key} to another port` }
  }
}

/** Where a client on this machine finds what is bound to every address. */
const reachable = (host: string): string => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host)
const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)
