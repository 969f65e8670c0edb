/** How this machine looks names up, as its files say. Source: hosts(5), resolv.conf(5). */

export interface Search {
  readonly domains: readonly string[]
  /** A name with so many dots is asked for as it is first. */
  readonly ndots: number
}

interface Address {
  readonly address: string
  readonly family: number
}

export function hostsIn(text: string): ReadonlyMap<string, readonly Address[]> {
  const found = new Map<string, Address[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = address.includes(':') ? 6 : /^\d+(?:\.\d+){3}$/.test(address) ? 4 : 0
    if (family === 0) continue
    for (const name of names) {
      const key = name.toLowerCase()
      const known = found.get(key) ?? []
      if (!known.some((one) => one.address === address)) known.push({ address, family })
      found.set(key, known)
    }
  }
  return found
}

/** The last `search` or `domain` counts. */
export function searchIn(text: string): Search {
  let domains: readonly string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line.trim().split(/\s+/)
    if (keyword === 'search' || keyword === 'domain') domains = words
    if (keyword !== 'options') continue
    for (const word of words) if (/^ndots:\d{1,2}$/.test(word)) ndots = Number(word.slice(6))
  }
  return { domains: domains.filter((domain) => domain !== '.').map((domain) => domain.replace(/\.$/, '')), ndots }
}

/** In the order in which they are asked for. */
export function namesToAsk(name: string, { domains, ndots }: Search): readonly string[] {
  const searched = domains.map((domain) => `${name}.${domain}`)
  return name.split('.').length - 1 >= ndots ? [name, ...searched] : [...searched, name]
}
