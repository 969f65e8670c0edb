/** What was switched by hand (endpoints added or removed, maintenance), kept in the store so that it outlives the control process. */
import type { Config } from '../config/types.ts'
import { staticEndpointId } from '../registry/index.ts'
import type { StateStore } from '../store/port.ts'
import { noSwitches, type Switches } from './routing.ts'

const key = 'switches'

export async function loadSwitches(store: StateStore): Promise<Switches> {
  return (await store.get<Switches>(key))?.value ?? noSwitches
}

export async function saveSwitches(store: StateStore, switches: Switches): Promise<void> {
  await store.commit({ writes: [{ put: key, value: switches }] })
}

/** Without what speaks of services and endpoints that the configuration no longer has; the same object when there is nothing of the kind. */
export function pruneSwitches(switches: Switches, config: Config): Switches {
  const pruned = withoutStrangers(switches, config)
  const names = ['added', 'removed', 'maintenanceServices', 'maintenanceEndpoints'] as const
  const splits = (each: Switches): number => Object.keys(each.splits ?? {}).length
  return names.every((name) => pruned[name].length === switches[name].length) && splits(pruned) === splits(switches) ? switches : pruned
}

function withoutStrangers(switches: Switches, config: Config): Switches {
  const services = new Set(Object.keys(config.services))
  const configured = new Set(
    Object.values(config.services).flatMap(({ source }) =>
      source.kind === 'static' ? source.endpoints.map(({ host, port }) => staticEndpointId(host, port)) : [],
    ),
  )
  const added = switches.added.filter(({ service }) => services.has(service))
  const addedIds = new Set(added.map(({ id }) => id))
  return {
    added,
    removed: switches.removed.filter((id) => configured.has(id)),
    splits: Object.fromEntries(Object.entries(switches.splits ?? {}).filter(([name]) => services.has(name))),
    maintenanceServices: switches.maintenanceServices.filter((name) => services.has(name)),
    // An instance's id is not in the configuration; one that no longer exists simply never matches again.
    maintenanceEndpoints: switches.maintenanceEndpoints.filter(
      (id) => configured.has(id) || addedIds.has(id) || [...services].some((name) => id.startsWith(`${name}-`)),
    ),
  }
}
