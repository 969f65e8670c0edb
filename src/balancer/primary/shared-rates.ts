/**
 * Limits that several machines share: their tables lie in Redis. While it does not answer, each machine goes by an equal part of the limit.
 * What was taken there is noted in that part too, so that losing Redis does not give every machine a new burst.
 */
import { RedisLink, type RedisLinkOptions } from '../../redis/index.ts'
import { Gcra, partOf } from '../../resilience/core/rate.ts'
import { takeScript } from '../../resilience/core/rate-script.ts'
import type { RateAsk, RateGrant } from '../core/rate-share.ts'
import type { RateLimitView, SharedRateView } from '../core/routing-view.ts'
import type { LimitsStoreStatus } from '../port.ts'
import { OwnTable, type RateTable } from './rates.ts'

/** Keys that one run of the script looks at: Redis does nothing else meanwhile. */
const keysPerRun = 256
/** While nobody knows how many machines there are. */
const machinesUnknown = 2

export interface SharedRatesOptions extends Pick<RedisLinkOptions, 'clock' | 'onChange'> {
  readonly workers: number
}

type Link = Pick<RedisLink, 'up' | 'machines' | 'run'>

/** The connections, each for as long as there is a table in it. */
export class SharedRates {
  readonly #options: SharedRatesOptions
  readonly #links = new Map<string, { readonly link: RedisLink; tables: number }>()
  #reason: string | undefined

  constructor(options: SharedRatesOptions) {
    this.#options = options
  }

  readonly #onChange: RedisLinkOptions['onChange'] = (up, reason) => {
    this.#reason = reason
    this.#options.onChange(up, reason)
  }

  /** undefined: nothing is shared. */
  get status(): LimitsStoreStatus | undefined {
    if (this.#links.size === 0) return undefined
    const up = [...this.#links.values()].every(({ link }) => link.up)
    return { up, reason: up ? undefined : this.#reason }
  }

  open(scope: string, view: RateLimitView, shared: SharedRateView): RateTable {
    const { url, prefix } = shared
    const id = `${prefix} ${url}`
    const held = this.#links.get(id) ?? { link: new RedisLink({ ...this.#options, onChange: this.#onChange, url, prefix }), tables: 0 }
    this.#links.set(id, held)
    held.tables++
    const { workers, clock } = this.#options
    const close = (): void => {
      if (--held.tables > 0) return
      held.link.close()
      this.#links.delete(id)
    }
    return new SharedTable({ link: held.link, prefix: `${prefix}${scope}:`, view, machines: shared.machines, workers, now: () => clock.now(), close })
  }
}

export interface SharedTableOptions {
  readonly link: Link
  readonly prefix: string
  readonly view: RateLimitView
  /** undefined: as many as Redis has heard of. */
  readonly machines: number | undefined
  readonly workers: number
  readonly now: () => number
  readonly close: () => void
}

export class SharedTable implements RateTable {
  readonly #options: SharedTableOptions
  /** Its own part, and of how many. */
  #part: OwnTable
  #machines: number

  constructor(options: SharedTableOptions) {
    this.#options = options
    this.#machines = this.#machinesNow
    this.#part = this.#newPart()
  }

  get #machinesNow(): number {
    return this.#options.machines ?? this.#options.link.machines ?? machinesUnknown
  }

  #newPart(): OwnTable {
    const { view, workers, now } = this.#options
    const { rate, periodMs, burst } = view
    return new OwnTable(new Gcra(partOf({ rate, periodMs, burst }, this.#machines)), workers, now)
  }

  get #own(): OwnTable {
    if (this.#machines !== this.#machinesNow) {
      this.#machines = this.#machinesNow
      this.#part = this.#newPart()
    }
    return this.#part
  }

  take(asks: readonly RateAsk[], done: (grants: readonly RateGrant[]) => void): void {
    if (!this.#options.link.up) {
      this.#own.take(asks, done)
      return
    }
    for (let from = 0; from < asks.length; from += keysPerRun) void this.#takeSome(asks.slice(from, from + keysPerRun), done)
  }

  async #takeSome(asks: readonly RateAsk[], done: (grants: readonly RateGrant[]) => void): Promise<void> {
    try {
      const replies = (await this.#run(asks)) as readonly (readonly [number, number, number, number])[]
      const grants = asks.map(([key], i): RateGrant => {
        const [granted = 0, remaining = 0, resetUs = 0, retryUs = 0] = replies[i] ?? []
        return [key, granted, remaining, resetUs / 1_000, retryUs / 1_000]
      })
      this.#own.note(grants)
      done(grants)
    } catch {
      // The link has told why.
      this.#own.take(asks, done)
    }
  }

  #run(asks: readonly RateAsk[]): Promise<unknown> {
    const { link, prefix, view, workers } = this.#options
    const { rate, periodMs, burst } = view
    const intervalUs = (periodMs * 1_000) / rate
    return link.run(
      takeScript,
      asks.map(([key]) => prefix + key),
      [intervalUs, intervalUs * burst, workers * this.#machinesNow, ...asks.flatMap(([, need, want]) => [need, want])].map(String),
    )
  }

  giveBack(unused: readonly (readonly [key: string, count: number])[]): void {
    this.#own.giveBack(unused)
    if (!this.#options.link.up) return
    for (let from = 0; from < unused.length; from += keysPerRun) {
      const asks = unused.slice(from, from + keysPerRun).map(([key, count]): RateAsk => [key, -count, 0])
      // Tokens that cannot be given back are lost, and the link has told why.
      this.#run(asks).catch(() => undefined)
    }
  }

  close(): void {
    this.#options.close()
  }
}
