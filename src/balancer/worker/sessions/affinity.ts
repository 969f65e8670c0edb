/**
 * Who belongs where in a service: endpoints by the names that stand in session cookies, and by revision. Made anew with each view and each change
 * of the keys, so that a request only looks things up.
 */
import type { PickRequest } from '../../core/picker.ts'
import type { ServiceView } from '../../core/routing-view.ts'
import { sideOf } from '../../core/sessions/split.ts'
import type { SplitView, StickyView } from '../../core/sessions/view.ts'
import type { EndpointPool } from '../upstream.ts'
import type { SessionSigner } from './signer.ts'

type Choice = Pick<PickRequest, 'now' | 'tried'>

/** undefined: the service has neither sessions nor shares. */
export function affinityOf(view: ServiceView, endpoints: readonly EndpointPool[], signer: SessionSigner): Affinity | undefined {
  return view.sticky === undefined && view.split === undefined ? undefined : new Affinity(view, endpoints, signer)
}

export class Affinity {
  readonly service: string
  readonly sticky: StickyView | undefined
  readonly split: SplitView | undefined
  readonly signer: SessionSigner
  /** All but those of revisions whose share is 0. */
  readonly eligible: readonly EndpointPool[]
  readonly #byName = new Map<string, EndpointPool>()
  readonly #shares: readonly (readonly [string, number])[]
  readonly #sides: ReadonlyMap<string, readonly EndpointPool[]>
  /** Of each revision, those of all others. */
  readonly #others: ReadonlyMap<string, readonly EndpointPool[]>

  constructor({ name, sticky, split }: ServiceView, endpoints: readonly EndpointPool[], signer: SessionSigner) {
    this.service = name
    this.sticky = sticky
    this.split = split
    this.signer = signer
    if (sticky) for (const endpoint of endpoints) for (const each of signer.namesOf(name, endpoint.id)) this.#byName.set(each, endpoint)
    this.#shares = Object.entries(split?.shares ?? {}).filter(([, share]) => share > 0)
    const isOf = (revision: string) => (endpoint: EndpointPool) => endpoint.view.revision === revision
    this.#sides = new Map(this.#shares.map(([revision]) => [revision, endpoints.filter(isOf(revision))]))
    this.eligible = split === undefined ? endpoints : [...this.#sides.values()].flat()
    this.#others = new Map(this.#shares.map(([revision]) => [revision, this.eligible.filter((endpoint) => !isOf(revision)(endpoint))]))
  }

  /** By its name in a cookie. */
  named(name: string): EndpointPool | undefined {
    return this.#byName.get(name)
  }

  /** The revision of this client; undefined: there are no shares. */
  sideOf(client: number): string | undefined {
    return this.split === undefined ? undefined : sideOf(client, this.#shares)
  }

  /** The endpoints of a side while one of them is good, else those of the others while one of them is; failing all, whoever may be asked. */
  among(side: string | undefined, choice: Choice): readonly EndpointPool[] {
    if (side === undefined) return this.eligible
    const own = this.#sides.get(side)!
    if (hasGood(own, choice)) return own
    const others = this.#others.get(side)!
    if (hasGood(others, choice)) return others
    return own.some((endpoint) => mayAsk(endpoint, choice)) ? own : others
  }

  /** Whether a client stays with the endpoint that its cookie names. */
  keeps(endpoint: EndpointPool, side: string | undefined, among: readonly EndpointPool[], choice: Choice): boolean {
    if (choice.tried.includes(endpoint)) return false
    if (endpoint.view.state === 'draining') return this.#keepsDraining(endpoint, side, choice.now)
    if (!endpoint.available(choice.now) || !among.includes(endpoint)) return false
    return endpoint.isGood(choice.now) || !hasGood(among, choice)
  }

  #keepsDraining(endpoint: EndpointPool, side: string | undefined, now: number): boolean {
    if (this.sticky?.drain !== true || endpoint.gone !== undefined || endpoint.view.weight <= 0) return false
    return endpoint.isGood(now) && !((endpoint.breaker?.retryAfterMs(now) ?? 0) > 0) && (side === undefined || endpoint.view.revision === side)
  }
}

const mayAsk = (endpoint: EndpointPool, { now, tried }: Choice): boolean => endpoint.available(now) && !tried.includes(endpoint)

function hasGood(endpoints: readonly EndpointPool[], choice: Choice): boolean {
  for (const endpoint of endpoints) if (endpoint.isGood(choice.now) && mayAsk(endpoint, choice)) return true
  return false
}
