/**
 * Chooses an endpoint. One function per algorithm, all over the same list of candidates: active, not gone,
 * healthy, not ejected, not avoided, not tried before by this request. When nothing good is left, or of four and
 * more less than half (panic), health and ejection are ignored: an answer may come, a refusal is certain, and the
 * few that are left would break under the load of all.
 *
 *   round-robin            equal turns; weights are ignored (0 still means: none)
 *   weighted-round-robin   smooth: turns by weight, spread out (nginx)
 *   least-connections      fewest in flight per weight; ties take turns
 *   ip-hash                highest random weight over the client address (IPv6: its /64)
 *   consistent-hash        the same over a header or the path, skipping endpoints above 150 % of the mean load
 *   random                 by weight
 *   p2c-ewma               of two random ones (of all, below four) the one with less latency × load per weight
 */
import { unreachable } from '../../kernel/errors.ts'
import type { Random } from '../../kernel/random.ts'
import type { BalanceAlgorithm } from '../../config/types.ts'
import type { Endpoint } from './endpoint.ts'

export interface PickRequest {
  readonly now: number
  /** For the hashing algorithms: client address, header value or path. */
  readonly key: () => string
  /** Endpoints that this request has been sent to already. */
  readonly tried: readonly Endpoint[]
}

export interface PickerOptions {
  readonly algorithm: BalanceAlgorithm
  readonly slowStartMs: number
  readonly random: Random
}

/** Bounded load: an endpoint with more than this share of the mean is skipped (HAProxy `hash-balance-factor`, 125 to 200 is usual). */
const boundedLoadFactor = 1.5
/** Below this many candidates all are compared instead of two drawn. */
const compareAllBelow = 4
/** With fewer endpoints there is panic only when none is left. */
const panicFrom = 4
/** A latency that stands in for endpoints without an answer yet, when no endpoint has one. */
const unknownLatencyMs = 1

export class Picker {
  readonly #options: PickerOptions
  #turn = 0
  readonly #candidates: Endpoint[] = []

  constructor(options: PickerOptions) {
    this.#options = options
  }

  pick(endpoints: readonly Endpoint[], request: PickRequest): Endpoint | undefined {
    const candidates = this.#candidates
    candidates.length = 0
    const good = collectGood(endpoints, request, candidates)
    if (candidates.length === 0 || (endpoints.length >= panicFrom && inPanic(endpoints, good))) {
      candidates.length = 0
      collectAll(endpoints, request, candidates)
    }
    const count = candidates.length
    if (count <= 1) return candidates[0]
    switch (this.#options.algorithm) {
      case 'round-robin':
        return candidates[this.#turn++ % count]
      case 'weighted-round-robin':
        return this.#smooth(candidates, request.now)
      case 'least-connections':
        return this.#least(candidates, request.now)
      case 'ip-hash':
        return highestRandomWeight(candidates, request.key())
      case 'consistent-hash':
        return boundedLoad(candidates, request.key())
      case 'random':
        return this.#weighted(candidates, request.now)
      case 'p2c-ewma':
        return count < compareAllBelow ? this.#cheapest(candidates, request.now) : this.#cheaperOfTwo(candidates, request.now)
      default:
        return unreachable(this.#options.algorithm)
    }
  }

  #weight(endpoint: Endpoint, now: number): number {
    return endpoint.weightAt(now, this.#options.slowStartMs)
  }

  #smooth(candidates: readonly Endpoint[], now: number): Endpoint {
    let total = 0
    let best = candidates[0]!
    for (const endpoint of candidates) {
      const weight = this.#weight(endpoint, now)
      endpoint.swrr += weight
      total += weight
      if (endpoint.swrr > best.swrr) best = endpoint
    }
    best.swrr -= total
    return best
  }

  #least(candidates: readonly Endpoint[], now: number): Endpoint {
    const offset = this.#turn++ % candidates.length
    let best = candidates[offset]!
    let bestCost = (best.load + 1) / this.#weight(best, now)
    for (let i = 1; i < candidates.length; i++) {
      const endpoint = candidates[(offset + i) % candidates.length]!
      const cost = (endpoint.load + 1) / this.#weight(endpoint, now)
      if (cost < bestCost) {
        best = endpoint
        bestCost = cost
      }
    }
    return best
  }

  #weighted(candidates: readonly Endpoint[], now: number): Endpoint {
    let total = 0
    for (const endpoint of candidates) total += this.#weight(endpoint, now)
    let draw = this.#options.random.next() * total
    for (const endpoint of candidates) {
      draw -= this.#weight(endpoint, now)
      if (draw < 0) return endpoint
    }
    return candidates[candidates.length - 1]!
  }

  #cost(endpoint: Endpoint, now: number, unknownMs: number): number {
    const latency = endpoint.ewmaMs === 0 ? unknownMs : endpoint.ewmaMs
    return (latency * (endpoint.load + 1)) / this.#weight(endpoint, now)
  }

  #cheapest(candidates: readonly Endpoint[], now: number): Endpoint {
    const unknownMs = typicalLatency(candidates)
    const offset = this.#turn++ % candidates.length
    let best = candidates[offset]!
    let bestCost = this.#cost(best, now, unknownMs)
    for (let i = 1; i < candidates.length; i++) {
      const endpoint = candidates[(offset + i) % candidates.length]!
      const cost = this.#cost(endpoint, now, unknownMs)
      if (cost < bestCost) {
        best = endpoint
        bestCost = cost
      }
    }
    return best
  }

  #cheaperOfTwo(candidates: readonly Endpoint[], now: number): Endpoint {
    const count = candidates.length
    const first = Math.floor(this.#options.random.next() * count)
    const second = (first + 1 + Math.floor(this.#options.random.next() * (count - 1))) % count
    const a = candidates[first]!
    const b = candidates[second]!
    const unknownMs = a.ewmaMs === 0 || b.ewmaMs === 0 ? typicalLatency(candidates) : 0
    return this.#cost(a, now, unknownMs) <= this.#cost(b, now, unknownMs) ? a : b
  }
}

/** Returns how many are good, those that this request has tried with them. */
function collectGood(endpoints: readonly Endpoint[], request: PickRequest, into: Endpoint[]): number {
  let good = 0
  for (const endpoint of endpoints) {
    if (!endpoint.isGood(request.now) || !endpoint.available(request.now)) continue
    good++
    if (request.tried.length === 0 || !request.tried.includes(endpoint)) into.push(endpoint)
  }
  return good
}

function collectAll(endpoints: readonly Endpoint[], request: PickRequest, into: Endpoint[]): void {
  for (const endpoint of endpoints) {
    if (endpoint.available(request.now) && (request.tried.length === 0 || !request.tried.includes(endpoint))) into.push(endpoint)
  }
}

/** What is drained, or in maintenance, is not missing. */
function inPanic(endpoints: readonly Endpoint[], good: number): boolean {
  let configured = 0
  for (const { view } of endpoints) if (view.state === 'active' && view.weight > 0) configured++
  return configured >= panicFrom && good * 2 < configured
}

/** A cold endpoint is taken to be as fast as the known ones are on average: with 0 it would get all the traffic. */
function typicalLatency(candidates: readonly Endpoint[]): number {
  let sum = 0
  let known = 0
  for (const endpoint of candidates) {
    if (endpoint.ewmaMs > 0) {
      sum += endpoint.ewmaMs
      known++
    }
  }
  return known === 0 ? unknownLatencyMs : sum / known
}

/** FNV-1a over UTF-16 units with a final avalanche (murmur3's), so that similar ids do not give similar scores. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Weighted rendezvous hashing (Schindelhauer & Schomaker): −weight / ln(u); a change of the pool moves only what it must. */
function score(endpoint: Endpoint, key: string): number {
  const u = (hash32(`${key}\u0000${endpoint.id}`) + 1) / 4_294_967_298
  return -endpoint.view.weight / Math.log(u)
}

function highestRandomWeight(candidates: readonly Endpoint[], key: string): Endpoint {
  let best = candidates[0]!
  let bestScore = -1
  for (const endpoint of candidates) {
    const s = score(endpoint, key)
    if (s > bestScore) {
      best = endpoint
      bestScore = s
    }
  }
  return best
}

function boundedLoad(candidates: readonly Endpoint[], key: string): Endpoint {
  let load = 1
  let weight = 0
  for (const endpoint of candidates) {
    load += endpoint.load
    weight += endpoint.view.weight
  }
  const within = candidates.filter((endpoint) => endpoint.load + 1 <= Math.ceil((boundedLoadFactor * load * endpoint.view.weight) / weight))
  return highestRandomWeight(within.length > 0 ? within : candidates, key)
}

/** The key of `ip-hash`: IPv6 clients are one per /64, since a host changes its lower half at will. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  if (tail !== undefined) {
    const rest = tail.split(':').filter((group) => group !== '')
    while (groups.length + rest.length < 8) groups.push('0')
    groups.push(...rest)
  }
  return groups.slice(0, 4).join(':')
}
