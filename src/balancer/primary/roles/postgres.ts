/**
 * Asks a PostgreSQL server for its role. The control file learns of a new timeline only at the next checkpoint; the name of the segment that
 * is being written has it at once. All of it may be asked by any role that may log in.
 */
import type { Client } from 'pg'
import { messageOf } from '../../../kernel/errors.ts'
import type { RoleAnswer, RoleOutcome } from '../../core/roles.ts'
import { secured } from '../../tls/dialer.ts'
import { converse, failedBy, type Asker, type AskerOptions, type DriverError } from './asker.ts'

const question = `
  select standby,
    (select system_identifier::text from pg_control_system()) as system,
    case when standby then null else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline,
    case when not standby then null
         when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() and exists (select from pg_stat_wal_receiver) then 0
         else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 end::float8 as lag
  from (select pg_is_in_recovery() as standby) as now`

interface Row {
  readonly standby: boolean
  readonly system: string
  readonly timeline: string | null
  readonly lag: number | null
}

export class PostgresAsker implements Asker {
  readonly #options: AskerOptions
  #client: Client | undefined

  constructor(options: AskerOptions) {
    this.#options = options
  }

  ask(): Promise<RoleOutcome> {
    return converse({
      name: 'pg',
      // Its ES module would load the native driver's stub with it.
      load: async () => (await import('pg')).default.Client,
      ask: async (driver) => {
        const client = this.#client ?? (await this.#connect(driver))
        const { rows } = await client.query<Row>(question)
        return read(rows[0]!)
      },
      outcomeOf,
      close: () => {
        this.close()
      },
    })
  }

  async #connect(Clients: typeof Client): Promise<Client> {
    const { host, port, settings, onLost } = this.#options
    const { user = 'postgres', password, database = 'postgres', timeoutMs, tls } = settings
    const client = new Clients({
      host,
      port,
      user,
      password,
      database,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      ssl: tls && secured(tls, host),
      application_name: 'holdfast',
    })
    const lost = (): void => {
      if (this.#client !== client) return
      this.#client = undefined
      onLost()
    }
    client.on('error', lost)
    client.on('end', lost)
    try {
      await client.connect()
    } catch (error) {
      void client.end().catch(() => undefined)
      throw error
    }
    this.#client = client
    return client
  }

  close(): void {
    const client = this.#client
    this.#client = undefined
    // That it could not be ended in order is of no interest any more.
    void client?.end().catch(() => undefined)
  }
}

function read({ standby, system, timeline, lag }: Row): RoleAnswer {
  if (standby) return { role: 'replica', system, lagMs: lag ?? undefined }
  return { role: 'primary', system, timeline: timeline === null ? undefined : parseInt(timeline, 16) }
}

/** Starting, stopping, or broken connections. Source: PostgreSQL docs, appendix A, classes 08 and 57P. */
const isAway = (sqlState: string): boolean => sqlState.startsWith('08') || sqlState.startsWith('57P')

function outcomeOf(error: DriverError): RoleOutcome {
  const { code } = error
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    return isAway(code) ? { type: 'failed', reason: error.message, lost: true } : { type: 'refused', reason: messageOf(error) }
  }
  // The driver's own: the server wants a password and there is none.
  if (error.message.startsWith('SASL')) return { type: 'refused', reason: error.message }
  if (error.message.startsWith('Connection terminated unexpectedly')) return { type: 'failed', reason: error.message, lost: true }
  return failedBy(error)
}
