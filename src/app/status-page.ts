/** The public status page over the running parts: which services it shows and by what name, how they stand, and what maintenance there is. */
import type { Config, StatusPageConfig } from '../config/index.ts'
import type { AnyEvent } from '../kernel/events.ts'
import type { Clock } from '../kernel/time.ts'
import type { ServiceStatus } from '../registry/types.ts'
import {
  StatusPage,
  type IncidentReader,
  type Maintenance,
  type StatusPageOptions,
  type StatusDocument,
  type StatusDocumentName,
  type UptimeReader,
} from '../status/index.ts'
import { idOf, type ShownService } from '../status/core/view.ts'
import type { StatusPageOperations } from './status-operations.ts'

export interface PublicStatusParts {
  readonly clock: Pick<Clock, 'wallTime'>
  readonly config: () => Config
  readonly services: () => readonly ServiceStatus[]
  /** Newest first. */
  readonly maintenanceEvents: (service: string) => readonly AnyEvent[]
  readonly uptime?: UptimeReader | undefined
  readonly incidents?: IncidentReader | undefined
}

export class PublicStatus implements StatusPageOperations {
  readonly #parts: PublicStatusParts
  readonly #page: StatusPage

  constructor(parts: PublicStatusParts) {
    this.#parts = parts
    this.#page = new StatusPage({ now: () => parts.clock.wallTime(), inputs: () => this.#inputs() })
  }

  document(name: StatusDocumentName): StatusDocument | undefined {
    return this.#parts.config().statusPage && this.#page.document(name)
  }

  #inputs(): ReturnType<StatusPageOptions['inputs']> {
    const { config, services, uptime, incidents } = this.#parts
    const { name, statusPage = { days: 1, services: [] }, ...rest } = config()
    const statuses = services()
    const shown = shownServices(statusPage, rest)
    return {
      title: statusPage.title ?? name,
      url: statusPage.url,
      days: statusPage.days,
      shown,
      services: statuses,
      uptime: (service) => uptime?.days(service, statusPage.days) ?? [],
      incidents: incidents?.published() ?? [],
      maintenances: shown
        .filter(({ service }) => statuses.some((one) => one.name === service && one.maintenance))
        .map((one) => this.#maintenance(one)),
    }
  }

  /** Switched off by hand, until it is switched on. */
  #maintenance({ service, name }: ShownService): Maintenance {
    const [since] = this.#parts.maintenanceEvents(service)
    return {
      id: idOf('maintenance', `${service} ${since?.id ?? ''}`),
      title: `Maintenance of ${name}`,
      startedAt: since?.time,
      endsAt: undefined,
      status: 'in_progress',
      services: [service],
    }
  }
}

/** Only what clients reach is anybody's business, unless somebody chose otherwise. */
export function shownServices({ services: chosen }: StatusPageConfig, { services }: Pick<Config, 'services'>): readonly ShownService[] {
  if (chosen) return chosen.map(({ service, name = service, group }) => ({ service, name, group }))
  return Object.values(services)
    .filter(({ routes, tcp }) => routes.length > 0 || tcp !== undefined)
    .map(({ name }) => ({ service: name, name, group: undefined }))
}
