/**
 * Chooses an endpoint. One function per algorithm, all over the same list of candidates: active, not gone,
 * healthy, not ejected, not avoided, not tried before by this request. When nothing good is left, or of four and
 * more less than half (panic), health and ejection are ignored: an answer may come, a refusal is certain, and the
 * few that are left would break under the load of all.
 *
 *   round-robin            turns by weight: who is due earliest, and then due again after 1 / weight
 *   weighted-round-robin   smooth: turns by weight, spread out (nginx)
 *   least-connections      fewest in flight per weight; of equal ones who is due earliest
 *   ip-hash                highest random weight over the client address (IPv6: its /64)
 *   consistent-hash        the same over a header or the path, skipping endpoints above 150 % of the mean load
 *   random                 by weight
 *   p2c-ewma               of two random ones (of all, below four) the one with less latency × load; with unequal weights a draw by
 *                          weight / (latency × load per weight), because the best by that measure would get everything while there is little to do
 *
 * All weigh by `Endpoint.weightAt`. Where weights are equal, which is nearly always, nobody looks at them twice.
 */
import { unreachable } from '../../kernel/errors.ts'
import type { Random } from '../../kernel/random.ts'
import type { BalanceAlgorithm } from '../../config/types.ts'
import type { Endpoint } from './endpoint.ts'
import { hash32 } from './hash.ts'

export interface PickRequest {
  readonly now: number
  /** For the hashing algorithms: client address, header value or path. */
  readonly key: () => string
  /** Endpoints that this request has been sent to already. */
  readonly tried: readonly Endpoint[]
  /** It cannot be sent again should it fail: one that has just failed others is left out, as long as there is another. */
  readonly onlyOnce?: boolean
}

export interface PickerOptions {
  readonly algorithm: BalanceAlgorithm
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
  readonly #algorithm: BalanceAlgorithm
  readonly #random: Random
  #turn = 0
  /** When who was picked last was due: nobody is due earlier. */
  #virtual = 0
  readonly #candidates: Endpoint[] = []
  /** Of the candidates. */
  #unequal = false
  /** The last pick was made without regard for health and ejection. */
  panicked = false

  constructor({ algorithm, random }: PickerOptions) {
    this.#algorithm = algorithm
    this.#random = random
  }

  pick(endpoints: readonly Endpoint[], request: PickRequest): Endpoint | undefined {
    const candidates = this.#candidates
    const good = this.#collect(endpoints, request, true)
    this.panicked = candidates.length === 0 || (endpoints.length >= panicFrom && inPanic(endpoints, good))
    if (this.panicked) this.#collect(endpoints, request, false)
    if (request.onlyOnce === true && candidates.length > 1) leaveOutDoubtful(candidates, request.now)
    const count = candidates.length
    if (count <= 1) return candidates[0]
    switch (this.#algorithm) {
      case 'round-robin':
        return this.#unequal ? this.#earliest(candidates, request.now) : candidates[this.#turn++ % count]
      case 'weighted-round-robin':
        return this.#smooth(candidates, request.now)
      case 'least-connections':
        return this.#unequal ? this.#leastPerWeight(candidates, request.now) : this.#least(candidates)
      case 'ip-hash':
        return highestRandomWeight(candidates, request.key(), { now: request.now, unequal: this.#unequal, loadPerWeight: Infinity })
      case 'consistent-hash':
        return highestRandomWeight(candidates, request.key(), {
          now: request.now,
          unequal: this.#unequal,
          loadPerWeight: boundedLoad(candidates, request.now),
        })
      case 'random':
        return this.#unequal ? this.#weighted(candidates, request.now) : candidates[Math.floor(this.#random.next() * count)]
      case 'p2c-ewma':
        if (this.#unequal) return this.#byMerit(candidates, request.now)
        return count < compareAllBelow ? this.#cheapest(candidates) : this.#cheaperOfTwo(candidates)
      default:
        return unreachable(this.#algorithm)
    }
  }

  /** Returns how many can be picked, those that this request has tried with them. */
  #collect(endpoints: readonly Endpoint[], { now, tried }: PickRequest, goodOnly: boolean): number {
    const candidates = this.#candidates
    candidates.length = 0
    let count = 0
    let weight = 0
    let unequal = false
    for (const endpoint of endpoints) {
      if ((goodOnly && !endpoint.isGood(now)) || !endpoint.available(now)) continue
      count++
      if (tried.length > 0 && tried.includes(endpoint)) continue
      candidates.push(endpoint)
      const own = endpoint.weightAt(now)
      if (weight === 0) weight = own
      else if (own !== weight) unequal = true
    }
    this.#unequal = unequal
    return count
  }

  /** Earliest deadline first. Who was away, or has come, is due now and not earlier, and nobody waits longer than its own turn takes by now. */
  #earliest(candidates: readonly Endpoint[], now: number): Endpoint {
    let best = candidates[0]!
    let bestDue = Infinity
    for (const endpoint of candidates) {
      const due = this.#dueAt(endpoint, now)
      if (due < bestDue) {
        best = endpoint
        bestDue = due
      }
    }
    this.#served(best, bestDue, now)
    return best
  }

  #dueAt(endpoint: Endpoint, now: number): number {
    endpoint.due = Math.min(Math.max(endpoint.due, this.#virtual), this.#virtual + 1 / endpoint.weightAt(now))
    return endpoint.due
  }

  #served(endpoint: Endpoint, due: number, now: number): void {
    this.#virtual = due
    endpoint.due = due + 1 / endpoint.weightAt(now)
  }

  #smooth(candidates: readonly Endpoint[], now: number): Endpoint {
    let total = 0
    let best = candidates[0]!
    for (const endpoint of candidates) {
      const weight = endpoint.weightAt(now)
      endpoint.swrr += weight
      total += weight
      if (endpoint.swrr > best.swrr) best = endpoint
    }
    best.swrr -= total
    return best
  }

  #least(candidates: readonly Endpoint[]): Endpoint {
    const count = candidates.length
    const offset = this.#turn++ % count
    let best = candidates[offset]!
    let least = best.load
    for (let i = 1; i < count; i++) {
      const endpoint = candidates[(offset + i) % count]!
      const { load } = endpoint
      if (load < least) {
        best = endpoint
        least = load
      }
    }
    return best
  }

  #leastPerWeight(candidates: readonly Endpoint[], now: number): Endpoint {
    let best = candidates[0]!
    let bestCost = Infinity
    let bestDue = Infinity
    for (const endpoint of candidates) {
      const cost = endpoint.load / endpoint.weightAt(now)
      if (cost > bestCost) continue
      const due = this.#dueAt(endpoint, now)
      if (cost === bestCost && due >= bestDue) continue
      best = endpoint
      bestCost = cost
      bestDue = due
    }
    this.#served(best, bestDue, now)
    return best
  }

  #weighted(candidates: readonly Endpoint[], now: number): Endpoint {
    let total = 0
    for (const endpoint of candidates) total += endpoint.weightAt(now)
    let draw = this.#random.next() * total
    for (const endpoint of candidates) {
      draw -= endpoint.weightAt(now)
      if (draw < 0) return endpoint
    }
    return candidates[candidates.length - 1]!
  }

  /** Drawn by weight / (latency × load per weight): with as much in flight per weight everywhere the shares are those of the weights. */
  #byMerit(candidates: readonly Endpoint[], now: number): Endpoint {
    const unknownMs = typicalLatency(candidates)
    let weights = 0
    for (const endpoint of candidates) weights += endpoint.weightAt(now)
    const mean = weights / candidates.length
    let total = 0
    for (const endpoint of candidates) total += merit(endpoint, now, unknownMs, mean)
    let draw = this.#random.next() * total
    for (const endpoint of candidates) {
      draw -= merit(endpoint, now, unknownMs, mean)
      if (draw < 0) return endpoint
    }
    return candidates[candidates.length - 1]!
  }

  #cheapest(candidates: readonly Endpoint[]): Endpoint {
    const unknownMs = typicalLatency(candidates)
    const offset = this.#turn++ % candidates.length
    let best = candidates[offset]!
    let bestCost = cost(best, unknownMs)
    for (let i = 1; i < candidates.length; i++) {
      const endpoint = candidates[(offset + i) % candidates.length]!
      const ownCost = cost(endpoint, unknownMs)
      if (ownCost < bestCost) {
        best = endpoint
        bestCost = ownCost
      }
    }
    return best
  }

  #cheaperOfTwo(candidates: readonly Endpoint[]): Endpoint {
    const count = candidates.length
    const first = Math.floor(this.#random.next() * count)
    const second = (first + 1 + Math.floor(this.#random.next() * (count - 1))) % count
    const a = candidates[first]!
    const b = candidates[second]!
    const unknownMs = a.ewmaMs === 0 || b.ewmaMs === 0 ? typicalLatency(candidates) : 0
    return cost(a, unknownMs) <= cost(b, unknownMs) ? a : b
  }
}

const latencyOf = (endpoint: Endpoint, unknownMs: number): number => (endpoint.ewmaMs === 0 ? unknownMs : endpoint.ewmaMs)

function merit(endpoint: Endpoint, now: number, unknownMs: number, meanWeight: number): number {
  const weight = endpoint.weightAt(now)
  return weight / (latencyOf(endpoint, unknownMs) * ((endpoint.load * meanWeight) / weight + 1))
}

const cost = (endpoint: Endpoint, unknownMs: number): number => latencyOf(endpoint, unknownMs) * (endpoint.load + 1)

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

/** How an endpoint and a key go together: 32 bits, each as likely as any other. Both were hashed before, each once. */
function affinity(endpoint: Endpoint, keyHash: number): number {
  let hash = Math.imul(keyHash ^ endpoint.idHash, 0x9e3779b1)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Weighted rendezvous hashing (Schindelhauer & Schomaker): −weight / ln(u); a change of the pool moves only what it must. Where weights are
 * equal the logarithm changes no order. Endpoints with a load of more than their weight times `loadPerWeight` are passed over while there are others.
 */
function highestRandomWeight(candidates: readonly Endpoint[], key: string, { now, unequal, loadPerWeight }: Rendezvous): Endpoint {
  const keyHash = hash32(key)
  let best: Endpoint | undefined
  let bestScore = -1
  for (const endpoint of candidates) {
    if (loadPerWeight !== Infinity && endpoint.load + 1 > Math.ceil(loadPerWeight * endpoint.weightAt(now))) continue
    const u = affinity(endpoint, keyHash)
    const score = unequal ? -endpoint.weightAt(now) / Math.log((u + 1) / 4_294_967_298) : u
    if (score > bestScore) {
      best = endpoint
      bestScore = score
    }
  }
  return best ?? highestRandomWeight(candidates, key, { now, unequal, loadPerWeight: Infinity })
}

interface Rendezvous {
  readonly now: number
  readonly unequal: boolean
  readonly loadPerWeight: number
}

/** What each may have for its weight, with bounded load. */
function boundedLoad(candidates: readonly Endpoint[], now: number): number {
  let load = 1
  let weight = 0
  for (const endpoint of candidates) {
    load += endpoint.load
    weight += endpoint.weightAt(now)
  }
  return (boundedLoadFactor * load) / weight
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

/** Unless all of them are. */
function leaveOutDoubtful(candidates: Endpoint[], now: number): void {
  let kept = 0
  for (const endpoint of candidates) if (!endpoint.isDoubtful(now)) kept++
  if (kept === 0 || kept === candidates.length) return
  kept = 0
  for (const endpoint of candidates) if (!endpoint.isDoubtful(now)) candidates[kept++] = endpoint
  candidates.length = kept
}
