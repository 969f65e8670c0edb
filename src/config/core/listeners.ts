/** Which listener is meant where none is named. */
/** Where a route comes in that names no listener. */
export function firstHttp(listeners: Readonly<Record<string, { readonly protocol?: 'http' | 'tcp' | undefined } | undefined>>): string | undefined {
  return Object.keys(listeners).find((name) => listeners[name]?.protocol !== 'tcp')
}
