/**
 * Changes of a head by rule: names that are left out, and lines that are added. Made once per view. What frames a message or belongs to a
 * connection, and what we say ourselves, cannot be changed by a rule, however it is spelt.
 */

/** What a rule may say; names in lower case. */
export interface HeaderRules {
  /** In place of whatever there is. */
  readonly set?: Readonly<Record<string, string>> | undefined
  /** Beside whatever there is. */
  readonly add?: Readonly<Record<string, string>> | undefined
  readonly remove?: readonly string[] | undefined
}

/** Letters and digits only: servers fold the other signs of a name. */
const untouchable: ReadonlySet<string> = new Set(
  (
    'connection keepalive proxyconnection transferencoding contentlength te trailer upgrade http2settings expect host via ' +
    'proxyauthenticate proxyauthorization proxyauthenticationinfo proxystatus xrequestid maxforwards contentencoding contentrange ' +
    'forwarded xforwardedfor xforwardedproto xforwardedhost xforwardedport xrealip'
  ).split(' '),
)

/** Whether a rule may change the field of this name. */
export const mayChange = (name: string): boolean =>
  /^[!#$%&'*+.^_`|~\w-]+$/.test(name) && !untouchable.has(name.toLowerCase().replace(/[^a-z0-9]/g, ''))

/** What may stand in a field's value by rule: no line end, nothing outside of ASCII. */
export const isFieldValue = (value: string): boolean => /^[\t\x20-\x7e]*$/.test(value)

export class HeadEdit {
  readonly #names: ReadonlySet<string>
  /** 1 for the lengths of the names: most fields of a head are let through without a string being made of their names. */
  readonly #lengths = new Uint8Array(256)
  /** Lines that are added, each with its CR LF. */
  readonly block: Buffer

  constructor(names: Iterable<string>, block: string) {
    this.#names = new Set(names)
    for (const name of this.#names) this.#lengths[name.length & 255] = 1
    this.block = Buffer.from(block, 'latin1')
  }

  get names(): Iterable<string> {
    return this.#names
  }

  /** Whether the field whose name stands in [start, end) is left out. */
  drops(buffer: Buffer, start: number, end: number): boolean {
    return this.#lengths[(end - start) & 255] === 1 && this.#names.has(buffer.toString('latin1', start, end).toLowerCase())
  }
}

/** undefined: there is nothing to change. What may not be changed is left alone: the configuration has refused it before. */
export function compileEdit(rules: HeaderRules | undefined): HeadEdit | undefined {
  if (rules === undefined) return undefined
  const set = allowedEntries(rules.set)
  const names = [...set.map(([name]) => name.toLowerCase()), ...(rules.remove ?? []).filter(mayChange).map((name) => name.toLowerCase())]
  const lines = [...set, ...allowedEntries(rules.add)].map(([name, value]) => `${name}: ${value}\r\n`)
  return names.length + lines.length === 0 ? undefined : new HeadEdit(names, lines.join(''))
}

const allowedEntries = (entries: Readonly<Record<string, string>> | undefined): [string, string][] =>
  Object.entries(entries ?? {}).filter(([name, value]) => mayChange(name) && isFieldValue(value))

/** What we say in answers of our own. */
const ours: ReadonlySet<string> = new Set([
  'content-type',
  'cache-control',
  'retry-after',
  'allow',
  'location',
  'date',
  'vary',
  'etag',
  'last-modified',
])

/** The lines that answers of our own get, too. */
export const ownLines = (rules: HeaderRules | undefined): string =>
  [...allowedEntries(rules?.set), ...allowedEntries(rules?.add)]
    .filter(([name]) => !ours.has(name.toLowerCase()))
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
