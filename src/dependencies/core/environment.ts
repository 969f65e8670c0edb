/** Addresses in the environment of a service: `AUTH_URL=http://127.0.0.1:8080/auth`, `DB_HOST` beside `DB_PORT`, `CACHE=10.0.0.7:6379`. */
import type { AddressBook } from './addresses.ts'

export interface NamedAddress {
  readonly variable: string
  /** A node that is known, or `host:port` of an address that is not. */
  readonly name: string
  /** Not known: it becomes a node of its own. */
  readonly outside: boolean
}

/** Variables that say where the service itself is reached, or who may come from where. */
const ownAddress =
  /(^|_)(PUBLIC|SELF|OWN|EXTERNAL|BASE|SITE|ROOT|CANONICAL|CALLBACK|REDIRECT|RETURN|ORIGINS?|CORS|ALLOWED|TRUSTED|LISTEN|BIND|WEBSITE|HOMEPAGE|DOCS?|LICENSE|REFERER)(_|$)/i
/** Values longer than this are no addresses. */
const valueMax = 2_048
/** Addresses in one value: of a list of brokers. */
const listMax = 8

const usualPorts: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'ws:': 80,
  'wss:': 443,
  'postgres:': 5432,
  'postgresql:': 5432,
  'mysql:': 3306,
  'mariadb:': 3306,
  'redis:': 6379,
  'rediss:': 6379,
  'amqp:': 5672,
  'amqps:': 5671,
  'mongodb:': 27017,
  'nats:': 4222,
  'memcached:': 11211,
  'ldap:': 389,
  'ldaps:': 636,
  'smtp:': 25,
  'grpc:': 443,
}

export function addressesIn(env: Readonly<Record<string, string>>, book: AddressBook): readonly NamedAddress[] {
  const found = new Map<string, NamedAddress>()
  const add = (address: NamedAddress | undefined): void => {
    if (address && !found.has(address.name)) found.set(address.name, address)
  }
  for (const [variable, value] of Object.entries(env)) {
    if (value.length > valueMax || ownAddress.test(variable)) continue
    for (const part of value.split(',').slice(0, listMax)) add(fromUrl(variable, part.trim(), book) ?? fromPair(variable, part.trim(), book))
    add(fromHostAndPort(variable, value, env, book))
  }
  return [...found.values()]
}

function fromUrl(variable: string, text: string, book: AddressBook): NamedAddress | undefined {
  const [address] = addressOfUrl(text)
  if (address === undefined) return undefined
  const { host, port, path } = address
  if (book.isListener(host, port)) return named(variable, book.routed(host, port, path))
  return named(variable, book.at(host, port)) ?? { variable, name: `${host}:${port}`, outside: true }
}

/** None: it is no URL, or says not where. */
export function addressOfUrl(text: string): readonly { readonly host: string; readonly port: number; readonly path: string }[] {
  if (!/^[a-z][a-z0-9+.-]{1,20}:\/\/\S+$/i.test(text)) return []
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return []
  }
  const port = url.port === '' ? usualPorts[url.protocol] : Number(url.port)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return host === '' || port === undefined ? [] : [{ host, port, path: url.pathname === '' ? '/' : url.pathname }]
}

/** A pair without a scheme may be anything: only what is known counts. */
function fromPair(variable: string, text: string, book: AddressBook): NamedAddress | undefined {
  const [, host, port] = /^([\w.-]+):(\d{1,5})$/.exec(text) ?? []
  return host === undefined ? undefined : named(variable, behind(host, Number(port), book))
}

function fromHostAndPort(variable: string, host: string, env: Readonly<Record<string, string>>, book: AddressBook): NamedAddress | undefined {
  if (!/(^|_)HOST(NAME)?$/i.test(variable)) return undefined
  const port = Number(env[variable.replace(/HOST(NAME)?$/i, 'PORT')])
  return Number.isInteger(port) ? named(variable, behind(host.trim(), port, book)) : undefined
}

const behind = (host: string, port: number, book: AddressBook): string | undefined =>
  book.isListener(host, port) ? book.onlyBehind(port) : book.at(host, port)

const named = (variable: string, name: string | undefined): NamedAddress | undefined =>
  name === undefined ? undefined : { variable, name, outside: false }
