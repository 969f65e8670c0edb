/** Keeps secrets out of what is written about a request. */

/** A longer target or field is cut in what is written about it. */
export const writtenTextMax = 2_048

/** The target with the values of the named query parameters replaced. Names are lower case. */
export function maskTarget(target: string, names: ReadonlySet<string>): string {
  const query = target.indexOf('?')
  if (query < 0 || names.size === 0) return target.slice(0, writtenTextMax)
  const pairs = target.slice(query + 1).split('&')
  const masked = pairs.map((pair) => {
    const equals = pair.indexOf('=')
    return equals >= 0 && names.has(decoded(pair.slice(0, equals)).toLowerCase()) ? `${pair.slice(0, equals)}=***` : pair
  })
  return `${target.slice(0, query)}?${masked.join('&')}`.slice(0, writtenTextMax)
}

/** Without its query: what a URL says about where somebody came from, not what was in it. */
export const withoutQuery = (url: string): string => url.split(/[?#]/, 1)[0]!.slice(0, writtenTextMax)

function decoded(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}
