/** How long requests wait for an endpoint: as configured, and no longer than boots that go wrong are worth. */
import type { ServiceView } from '../balancer/index.ts'
import type { ResilienceConfig } from '../config/types.ts'

/** Boots vary. What takes three times as long as nearly all of them is not coming. */
const bootsWaited = 3
/** However fast boots are: on a machine with much to do they take longer. */
const patienceMsMin = 1_000

export function parkingView(parking: NonNullable<ResilienceConfig['parking']>, bootP95Ms: number | undefined): NonNullable<ServiceView['parking']> {
  const { timeout, requests, bytes, pageAfter } = parking
  const patienceMs = bootP95Ms === undefined ? undefined : Math.max(patienceMsMin, Math.ceil(bootsWaited * bootP95Ms))
  return {
    timeoutMs: timeout,
    requests,
    bytes,
    ...(patienceMs !== undefined && { patienceMs }),
    ...(pageAfter !== undefined && { pageAfterMs: pageAfter }),
  }
}
