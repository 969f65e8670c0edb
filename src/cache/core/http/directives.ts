/**
 * `Cache-Control` (RFC 9111, 5.2) as a shared cache must understand it. What cannot be read, or is said twice, is taken in the sense that keeps less: the
 * qualified forms of `private` and `no-cache` count as unqualified, an invalid lifetime as none, of two lifetimes the shorter.
 */
export interface ResponseDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly private: boolean
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  /** Seconds; undefined: not said. */
  readonly maxAge: number | undefined
  readonly sMaxage: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
}

export interface RequestDirectives {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly maxAge: number | undefined
  readonly minFresh: number | undefined
  /** Infinity: however stale. */
  readonly maxStale: number | undefined
}

/** RFC 9111, 1.2.2: the largest number of seconds; more is this. */
export const deltaMax = 2_147_483_648

/** Digits, or nothing. */
export function parseDelta(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(deltaMax, Number(text)) : undefined
}

const directive = /\s*(?:,|([^\s,=;"]+)(\s*)(?:=(\s*)("(?:[^"\\]|\\.)*"?|[^,]*))?)/gy

/** Each directive once, in lower case; `undefined`: it has no argument, '': an unreadable one. Said twice: the smaller number. */
export function directivesOf(value: string): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>()
  directive.lastIndex = 0
  for (let from = 0; from < value.length; from = Math.max(from + 1, directive.lastIndex)) {
    directive.lastIndex = from
    const match = directive.exec(value)
    // What is no directive ends at the next comma.
    if (match === null) {
      const comma = value.indexOf(',', from)
      if (comma < 0) break
      directive.lastIndex = comma
      continue
    }
    const [, name, before, after, argument] = match
    if (name === undefined) continue
    const badSpace = argument !== undefined && (before !== '' || after !== '')
    note(found, name.toLowerCase(), badSpace ? '' : unquoted(argument?.trimEnd()))
  }
  return found
}

function note(found: Map<string, string | undefined>, name: string, argument: string | undefined): void {
  if (!found.has(name)) {
    found.set(name, argument)
    return
  }
  const [first, second] = [parseDelta(found.get(name)), parseDelta(argument)]
  if (first !== undefined && (second === undefined || second < first)) found.set(name, argument)
}

function unquoted(argument: string | undefined): string | undefined {
  if (argument?.startsWith('"') !== true) return argument
  return argument.length > 1 && argument.endsWith('"') ? argument.slice(1, -1).replaceAll(/\\(.)/g, '$1') : ''
}

/** Said, but unreadable: 0. */
const seconds = (found: ReadonlyMap<string, string | undefined>, name: string): number | undefined =>
  found.has(name) ? (parseDelta(found.get(name)) ?? 0) : undefined

export function responseDirectives(found: ReadonlyMap<string, string | undefined>): ResponseDirectives {
  return {
    noStore: found.has('no-store'),
    noCache: found.has('no-cache'),
    private: found.has('private'),
    public: found.has('public'),
    mustRevalidate: found.has('must-revalidate'),
    proxyRevalidate: found.has('proxy-revalidate'),
    mustUnderstand: found.has('must-understand'),
    maxAge: seconds(found, 'max-age'),
    sMaxage: seconds(found, 's-maxage'),
    staleWhileRevalidate: seconds(found, 'stale-while-revalidate'),
    staleIfError: seconds(found, 'stale-if-error'),
  }
}

export function requestDirectives(found: ReadonlyMap<string, string | undefined>): RequestDirectives {
  return {
    noStore: found.has('no-store'),
    noCache: found.has('no-cache'),
    onlyIfCached: found.has('only-if-cached'),
    maxAge: seconds(found, 'max-age'),
    minFresh: seconds(found, 'min-fresh'),
    maxStale: found.has('max-stale') && found.get('max-stale') === undefined ? Infinity : seconds(found, 'max-stale'),
  }
}
