/** Sends a query to a PostgreSQL server, on a connection of its own each time: that one may still log in is part of what is checked. */
import { Socket } from 'node:net'
import type { Client } from 'pg'
import type { CheckSpec } from '../../config/types.ts'
import { lookup } from '../../kernel/lookup.ts'
import type { Probe } from '../types.ts'
import { unable } from './failures.ts'

export const postgresProbe = ({ url, query }: Extract<CheckSpec, { kind: 'postgres' }>, timeoutMs: number): Probe => ({
  async run(signal, note) {
    const client = new (await driver())({
      connectionString: url,
      stream: () => new LookingUp(),
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      // The server gives the query up as well, and does not go on with it for nobody.
      statement_timeout: timeoutMs,
      application_name: 'holdfast-check',
    })
    const end = (): void => void client.end().catch(() => undefined)
    // Whoever waits for an answer hears of it there.
    client.on('error', () => undefined)
    signal.addEventListener('abort', end, { once: true })
    try {
      note?.('connecting and logging in')
      await client.connect()
      note?.('logged in, and waiting for the answer to its query')
      const { rows } = await client.query<Record<string, unknown>>(query ?? 'select 1')
      if (query === undefined) return { outcome: 'pass', message: 'answered' }
      const value = rows[0] === undefined ? undefined : Object.values(rows[0])[0]
      const number = typeof value === 'number' ? value : typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN
      if (Number.isNaN(number))
        return { outcome: 'pass', message: value === undefined ? 'answered with no row' : `answered ${JSON.stringify(value)}` }
      return { outcome: 'pass', message: `answered ${number}`, value: number, unit: 'count' }
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  },
})

/** The driver looks names up in the system's own way. */
class LookingUp extends Socket {
  override connect(...[port, host]: readonly unknown[]): this {
    // A path is that of a Unix socket.
    return typeof port === 'number' && typeof host === 'string' ? super.connect({ port, host, lookup }) : super.connect(port as string)
  }
}

async function driver(): Promise<typeof Client> {
  try {
    // Its ES module would load the native driver's stub with it.
    return (await import('pg')).default.Client
  } catch {
    throw unable('the package pg is not installed; install it with: npm install pg')
  }
}
