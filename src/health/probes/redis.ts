/** Sends a PING to a Redis server, on a connection of its own each time. */
import type { createClient } from 'redis'
import { withoutPasswords } from '../../config/core/words.ts'
import { lookup } from '../../kernel/lookup.ts'
import type { Probe } from '../types.ts'
import { unable } from './failures.ts'

export const redisProbe = ({ url }: { readonly url: string }, timeoutMs: number): Probe => ({
  async run(signal, note) {
    const client = (await driver())({
      url,
      socket: { connectTimeout: timeoutMs, reconnectStrategy: false, lookup },
      disableOfflineQueue: true,
      name: 'holdfast-check',
    })
    let said: Error | undefined
    client.on('error', (error: Error) => (said ??= error))
    const end = (): void => {
      if (client.isOpen) client.destroy()
    }
    signal.addEventListener('abort', end, { once: true })
    try {
      note?.('connecting and logging in')
      await client.connect()
      note?.('logged in, and waiting for its PONG')
      const answer = await client.ping()
      return answer === 'PONG'
        ? { outcome: 'pass', message: 'answered PONG' }
        : { outcome: 'fail', message: `expected PONG, got ${JSON.stringify(answer)}` }
    } catch (error) {
      const why = said ?? (error as Error)
      throw Object.assign(new Error(withoutPasswords(why.message === '' ? why.name : why.message)), { code: (why as { code?: unknown }).code })
    } finally {
      signal.removeEventListener('abort', end)
      end()
    }
  },
})

async function driver(): Promise<typeof createClient> {
  try {
    return (await import('redis')).createClient
  } catch {
    throw unable('the package redis is not installed; install it with: npm install redis')
  }
}
