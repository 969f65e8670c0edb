/** Asks a Redis server for its role. */
import type { createClient } from 'redis'
import { systemClock } from '../../../kernel/system.ts'
import { after, ms } from '../../../kernel/time.ts'
import type { RoleOutcome } from '../../core/roles.ts'
import { readInfo } from '../../core/redis-info.ts'
import { secured } from '../../tls/dialer.ts'
import { converse, failedBy, type Asker, type AskerOptions, type DriverError } from './asker.ts'

type RedisClient = ReturnType<typeof createClient>

export class RedisAsker implements Asker {
  readonly #options: AskerOptions
  #client: RedisClient | undefined

  constructor(options: AskerOptions) {
    this.#options = options
  }

  ask(): Promise<RoleOutcome> {
    return converse({
      name: 'redis',
      load: async () => (await import('redis')).createClient,
      ask: async (driver) => readInfo(await this.#inTime(this.#info(driver))),
      outcomeOf,
      close: () => {
        this.close()
      },
    })
  }

  async #inTime(info: Promise<string>): Promise<string> {
    const { timeoutMs } = this.#options.settings
    let timer: Disposable | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = systemClock.schedule(after(systemClock.now(), ms(timeoutMs)), () => {
        reject(new Error(`no answer within ${timeoutMs} ms`))
      })
    })
    try {
      return await Promise.race([info, tooLate])
    } finally {
      timer?.[Symbol.dispose]()
    }
  }

  async #info(create: typeof createClient): Promise<string> {
    this.#client ??= this.#newClient(create)
    const client = this.#client
    if (!client.isOpen) await client.connect()
    return client.info('replication')
  }

  #newClient(create: typeof createClient): RedisClient {
    const { host, port, settings, onLost } = this.#options
    const { user, password, timeoutMs, tls } = settings
    const client: RedisClient = create({
      socket: { host, port, connectTimeout: timeoutMs, reconnectStrategy: false, ...(tls && { tls: true, ...secured(tls, host) }) },
      ...(user !== undefined && { username: user }),
      ...(password !== undefined && { password }),
      name: 'holdfast',
    })
    const lost = (): void => {
      if (this.#client !== client) return
      this.#client = undefined
      onLost()
    }
    // Whoever waits for an answer hears of it there.
    client.on('error', () => undefined)
    client.on('end', lost)
    client.on('terminated', lost)
    return client
  }

  close(): void {
    const client = this.#client
    this.#client = undefined
    if (client?.isOpen) client.destroy()
  }
}

function outcomeOf(error: DriverError): RoleOutcome {
  // An answer, and not the one that was asked for: WRONGPASS, NOAUTH, NOPERM.
  if (/^[A-Z]{3,} /.test(error.message) && error.code === undefined) return { type: 'refused', reason: error.message }
  if (/closed/i.test(error.name + error.message)) return { type: 'failed', reason: error.message, lost: true }
  return failedBy(error)
}
