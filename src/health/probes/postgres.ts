/** Sends a query to a PostgreSQL server, on a connection of its own each time: that one may still log in is part of what is checked. */
import type { Client } from 'pg'
import type { CheckSpec } from '../../config/types.ts'
import type { Probe } from '../types.ts'
import { unable } from './failures.ts'

export const postgresProbe = ({ url, query }: Extract<CheckSpec, { kind: 'postgres' }>, timeoutMs: number): Probe => ({
  async run(signal) {
    const client = new (await driver())({
      connectionString: url,
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
      await client.connect()
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

async function driver(): Promise<typeof Client> {
  try {
    // Its ES module would load the native driver's stub with it.
    return (await import('pg')).default.Client
  } catch {
    throw unable('the package pg is not installed; install it with: npm install pg')
  }
}
