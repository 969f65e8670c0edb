/** Addresses as identities: what counts as one client. */
import ipaddr from 'ipaddr.js'

/**
 * The name under which an address is counted: IPv4 as it stands (also when mapped into IPv6), IPv6 by its /64, since
 * whoever has one address of a /64 has all of them.
 */
export function addressKey(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed.kind() === 'ipv4') return parsed.toString()
  return `${(parsed as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}

/** Whether a host that a listener is bound to can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  return ipaddr.isValid(bare) && ipaddr.process(bare).range() === 'loopback'
}
