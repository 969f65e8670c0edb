/**
 * Names to addresses, so that a name that nobody answers for holds no other one. The system's own way (getaddrinfo) holds one of the two threads that Node.js has for it
 * until it gives up, after 10 s and more: two dead names, and every other check, of `localhost` too, fails for want of a thread.
 *
 *   hosts file ──not there──▶ DNS, on sockets of our own, by the search list ──no such name──▶ the system's own way, one name at a time (mDNS, LDAP)
 */
import { lookup as systemLookup, promises, type LookupAddress, type LookupOptions } from 'node:dns'
import { readFileSync, statSync } from 'node:fs'
import { isIP, type LookupFunction } from 'node:net'
import { codeOf, messageOf } from './errors.ts'
import { hostsIn, namesToAsk, searchIn, type Search } from './names.ts'

/** For one question to one server, twice. */
const questionMs = 1_500
/** Answers that say that there is no such name, rather than that nobody answers. */
const negative: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EREFUSED', 'ECONNREFUSED', 'ESERVFAIL', 'EBADNAME', 'EBADRESP', 'ENOTIMP'])

/** Of a file, made anew when that has changed. */
class Derived<T> {
  readonly #file: string
  readonly #make: (text: string) => T
  #known: { readonly changedAt: number; readonly value: T } | undefined

  constructor(file: string, make: (text: string) => T) {
    this.#file = file
    this.#make = make
  }

  get value(): T {
    const changedAt = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (this.#known?.changedAt !== changedAt) this.#known = { changedAt, value: this.#make(textOf(this.#file)) }
    return this.#known.value
  }
}

export interface NameFiles {
  readonly hosts: string
  readonly resolver: string
  /** Instead of those of the file. */
  readonly servers?: readonly string[]
}

export class Names {
  readonly #hosts: Derived<ReadonlyMap<string, readonly LookupAddress[]>>
  readonly #network: Derived<{ readonly resolver: promises.Resolver; readonly search: Search }>
  readonly #asked = new Map<string, Promise<readonly LookupAddress[]>>()
  /** The system's own way: one after the other. */
  #lane: Promise<unknown> = Promise.resolve()

  constructor({ hosts, resolver: file, servers }: NameFiles) {
    this.#hosts = new Derived(hosts, hostsIn)
    this.#network = new Derived(file, (text) => {
      const resolver = new promises.Resolver({ timeout: questionMs, tries: 2 })
      if (servers) resolver.setServers(servers)
      return { resolver, search: searchIn(text) }
    })
  }

  /** As `dns.lookup` with `all`. Who asks for the same name at the same time shares the answer. Rejects with `ENOTFOUND`, `EAI_AGAIN`, `ETIMEOUT`. */
  addressesOf(name: string): Promise<readonly LookupAddress[]> {
    const known = this.#asked.get(name)
    if (known) return known
    const asking = this.#find(name.toLowerCase().replace(/\.$/, '')).finally(() => this.#asked.delete(name))
    this.#asked.set(name, asking)
    return asking
  }

  async #find(name: string): Promise<readonly LookupAddress[]> {
    const family = isIP(name)
    if (family !== 0) return [{ address: name, family }]
    const listed = this.#hosts.value.get(name)
    if (listed) return listed
    // RFC 6761, 6.3: never asked of the DNS.
    if (name === 'localhost' || name.endsWith('.localhost')) return loopback
    const { resolver, search } = this.#network.value
    let last: unknown
    for (const candidate of namesToAsk(name, search)) {
      try {
        return await fromDns(resolver, candidate)
      } catch (error) {
        if (!negative.has(codeOf(error) ?? '')) {
          const why = codeOf(error) === 'ETIMEOUT' ? 'no DNS server answers' : messageOf(error)
          throw Object.assign(new Error(`tried to look up ${name}: ${why}`), { code: codeOf(error) })
        }
        last = error
      }
    }
    const asking = this.#lane.then(() => fromSystem(name, last))
    this.#lane = asking.catch(() => undefined)
    return asking
  }
}

const loopback: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
]

/** Of this machine. */
const names = new Names({ hosts: '/etc/hosts', resolver: '/etc/resolv.conf' })
export const addressesOf = (name: string): Promise<readonly LookupAddress[]> => names.addressesOf(name)

/** For sockets. */
export const lookup: LookupFunction = (name, options: LookupOptions, callback) => {
  addressesOf(name).then(
    (all) => {
      const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : options.family
      const fitting = family === 4 || family === 6 ? all.filter((one) => one.family === family) : all
      const [first] = fitting
      if (first === undefined) callback(Object.assign(new Error(`${name} has no address of family ${family ?? 0}`), { code: 'ENOTFOUND' }), '', 0)
      else if (options.all === true) callback(null, [...fitting])
      else callback(null, first.address, first.family)
    },
    (error: unknown) => {
      callback(error as NodeJS.ErrnoException, '', 0)
    },
  )
}

/** Both families; one is enough. */
async function fromDns(resolver: promises.Resolver, name: string): Promise<readonly LookupAddress[]> {
  const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  const found = [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ]
  if (found.length > 0) return found
  throw (four.status === 'rejected' ? four.reason : new Error('no address')) as Error
}

function fromSystem(name: string, why: unknown): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(name, { all: true }, (error, all) => {
      if (error) reject(Object.assign(new Error(`tried to look up ${name}: ${wordsFor(why)}`), { code: error.code ?? 'ENOTFOUND' }))
      else resolve(all)
    })
  })
}

function wordsFor(error: unknown): string {
  switch (codeOf(error)) {
    case 'ESERVFAIL':
      return 'the DNS server failed (SERVFAIL)'
    case 'EREFUSED':
      return 'the DNS server refused to answer'
    case 'ECONNREFUSED':
      return 'no DNS server answers'
    default:
      return 'there is no such name'
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // Not there is as good as empty.
  }
}
