/**
 * Who may come, by address. Of all ranges that hold the address the narrowest decides; of two equal ones `deny` does. Where something is allowed
 * by name, everything else is denied.
 */
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Range = readonly [Address, number]

/** An address or a range in CIDR form; undefined: it is neither. */
export function readRange(text: string): Range | undefined {
  try {
    if (text.includes('/')) return ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined
    if (text.includes('.') && !text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined
    const address = ipaddr.process(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  } catch {
    // Not an address: that is the answer.
    return undefined
  }
}

const readAddress = (text: string): Address | undefined => (ipaddr.isValid(text) ? ipaddr.process(text) : undefined)

const holds = ([base, bits]: Range, address: Address): boolean => base.kind() === address.kind() && (address as ipaddr.IPv6).match(base, bits)

interface Entry {
  readonly range: Range
  readonly allowed: boolean
}

export class AddressRules {
  /** The narrowest first; at equal width those that deny. */
  readonly #entries: readonly Entry[]
  readonly #otherwise: boolean

  constructor(allow: readonly string[], deny: readonly string[]) {
    const entries = (list: readonly string[], allowed: boolean): Entry[] =>
      list.flatMap((text) => {
        const range = readRange(text)
        return range === undefined ? [] : [{ range, allowed }]
      })
    this.#entries = [...entries(deny, false), ...entries(allow, true)].sort((a, b) => b.range[1] - a.range[1])
    this.#otherwise = allow.length === 0
  }

  /** What is no address at all may come only where everybody may. */
  allows(text: string): boolean {
    const address = readAddress(text)
    if (address === undefined) return false
    for (const { range, allowed } of this.#entries) if (holds(range, address)) return allowed
    return this.#otherwise
  }
}

export class TrustedProxies {
  readonly #ranges: readonly Range[]

  constructor(list: readonly string[]) {
    this.#ranges = list.map(readRange).filter((range) => range !== undefined)
  }

  has(text: string): boolean {
    const address = readAddress(text)
    return address !== undefined && this.#ranges.some((range) => holds(range, address))
  }

  /**
   * The client as a chain of trusted proxies tells it: from the right of `X-Forwarded-For`, the first that is not one of them. What a
   * proxy that is not trusted says counts for nothing.
   */
  clientOf(peer: string, forwardedFor: string | undefined): string {
    if (forwardedFor === undefined || !this.has(peer)) return peer
    let client = peer
    for (const hop of forwardedFor.split(',').reverse()) {
      const address = bare(hop.trim())
      if (readAddress(address) === undefined) return client
      client = address
      if (!this.has(address)) return client
    }
    return client
  }
}

/** Some write the port too. */
const bare = (hop: string): string => /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(hop)?.[1] ?? hop
