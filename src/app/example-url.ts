/** An address that can be tried at once, for whoever has just started something. Pure. */
import type { Config } from '../config/types.ts'

/** One that a plain GET with any host reaches, at the shortest path; undefined when no route is so open. */
export function exampleUrl(
  { services }: Pick<Config, 'services'>,
  listeners: readonly { readonly name: string; readonly url: string }[],
): string | undefined {
  const [route] = Object.values(services)
    .flatMap(({ routes }) => routes)
    .filter(({ host, methods }) => host === undefined && (methods === undefined || methods.includes('GET')))
    .sort((a, b) => a.path.length - b.path.length)
  const listener = listeners.find(({ name }) => name === route?.listener)
  return route && listener ? `${listener.url}${route.path}` : undefined
}
