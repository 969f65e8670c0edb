/** The public status page over the running parts: which services it shows and by what name, how they stand, and what maintenance there is. */
import { MaintenancePlan, type MaintenanceWindow } from '../alerting/core/rules/maintenance.ts'
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

/** How long before it begins maintenance is told of. */
const announcedMs = 7 * 86_400_000
const minuteMs = 60_000

interface Windows {
  readonly open: readonly MaintenanceWindow[]
  readonly coming: readonly MaintenanceWindow[]
}

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
  /** They begin and end with a minute; looking for them takes a while. */
  #windows: (Windows & { readonly minute: number; readonly of: Config['alerting'] }) | undefined

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
      maintenances: [
        ...shown.filter(({ service }) => statuses.some((one) => one.name === service && one.maintenance)).map((one) => this.#maintenance(one)),
        ...this.#planned(shown),
      ],
    }
  }

  /** What the configuration says of when work is done, without the words of those who do it. */
  #planned(shown: readonly ShownService[]): Maintenance[] {
    const { open, coming } = this.#windowsNow()
    const maintenance =
      (status: Maintenance['status']) =>
      ({ services, from, until }: MaintenanceWindow): Maintenance => {
        const of = services.length === 0 ? shown : shown.filter(({ service }) => services.includes(service))
        return {
          id: idOf('window', `${services.join(' ')} ${from}`),
          title: services.length === 0 ? 'Maintenance' : `Maintenance of ${of.map(({ name }) => name).join(', ')}`,
          startedAt: from,
          endsAt: until,
          status,
          services: of.map(({ service }) => service),
        }
      }
    return [...open.map(maintenance('in_progress')), ...coming.map(maintenance('scheduled'))]
  }

  #windowsNow(): Windows {
    const { alerting } = this.#parts.config()
    const now = this.#parts.clock.wallTime()
    const minute = Math.floor(now / minuteMs)
    if (this.#windows?.minute === minute && this.#windows.of === alerting) return this.#windows
    const plan = new MaintenancePlan(alerting.maintenance.filter(({ published }) => published))
    this.#windows = { minute, of: alerting, open: plan.open(now), coming: plan.coming(now, announcedMs) }
    return this.#windows
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
