/** Whether somebody has said that work is being done now, and that nobody wants to be told of what comes of it. */
import type { MaintenanceConfig } from '../../../config/types.ts'
import type { Labels } from '../../../kernel/labels.ts'
import { parseCron, type Cron } from './cron.ts'

const minute = 60_000

export interface MaintenanceWindow {
  readonly services: readonly string[]
  readonly comment: string | undefined
  /** Wall time; `until` exclusive. */
  readonly from: number
  readonly until: number
}

export class MaintenancePlan {
  readonly #windows: readonly { readonly config: MaintenanceConfig; readonly cron: Cron | undefined }[]

  #open: { readonly second: number; readonly windows: readonly MaintenanceWindow[] } | undefined

  constructor(windows: readonly MaintenanceConfig[]) {
    this.#windows = windows.map((config) => ({ config, cron: config.cron === undefined ? undefined : parseCron(config.cron) }))
  }

  /** Those that are open, to the second: thousands of alerts ask at once. */
  open(now: number): readonly MaintenanceWindow[] {
    const second = Math.floor(now / 1_000)
    if (this.#open?.second !== second) this.#open = { second, windows: this.#openAt(now) }
    return this.#open.windows
  }

  #openAt(now: number): readonly MaintenanceWindow[] {
    return this.#windows.flatMap(({ config, cron }) => {
      const from = cron === undefined ? config.from : lastBeginning(cron, now, config.duration)
      if (from === undefined || now < from || now >= from + config.duration) return []
      return [{ services: config.services, comment: config.comment, from, until: from + config.duration }]
    })
  }

  /** The next of each that begins after `now` and within `spanMs`, the soonest first. */
  coming(now: number, spanMs: number): readonly MaintenanceWindow[] {
    const found = this.#windows.flatMap(({ config, cron }) => {
      const from = cron === undefined ? config.from : nextBeginning(cron, now, spanMs)
      if (from === undefined || from <= now || from > now + spanMs) return []
      return [{ services: config.services, comment: config.comment, from, until: from + config.duration }]
    })
    return found.sort((a, b) => a.from - b.from)
  }

  /** Of the service of an alert, or of everything. */
  covers({ service }: Labels, now: number): boolean {
    return this.open(now).some(({ services }) => services.length === 0 || (service !== undefined && services.includes(service)))
  }
}

function nextBeginning(cron: Cron, now: number, spanMs: number): number | undefined {
  for (let at = (Math.floor(now / minute) + 1) * minute; at <= now + spanMs; at += minute) if (cron.matches(at)) return at
  return undefined
}

function lastBeginning(cron: Cron, now: number, duration: number): number | undefined {
  for (let at = Math.floor(now / minute) * minute; at > now - duration; at -= minute) if (cron.matches(at)) return at
  return undefined
}
