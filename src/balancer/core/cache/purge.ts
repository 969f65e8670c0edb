/**
 * What can be made invalid of the responses that are kept, and the names by which they are found: each response has some, and an invalidation takes
 * all that have one of its own.
 *
 *   u:URL   t:TAG   g:ORIGIN GROUP   s:SERVICE   r:RELEASE   r:RELEASE SERVICE
 */

import { keyOfUrl } from '../../../cache/core/http/key.ts'

/** What is purged; `soft`: it is stale from then on, and may still stand in for a failure or while a new one is fetched. */
export type PurgeOrder = (
  | { readonly by: 'url'; readonly url: string }
  | { readonly by: 'tag'; readonly tags: readonly string[] }
  /** Of URLs. */
  | { readonly by: 'prefix'; readonly prefix: string }
  /** What endpoints of this version have answered. */
  | { readonly by: 'release'; readonly release: string; readonly service?: string | undefined }
  | { readonly by: 'service'; readonly service: string }
  | { readonly by: 'all' }
) & { readonly soft?: boolean | undefined }

export interface Invalidation {
  readonly soft: boolean
  readonly all: boolean
  readonly names: readonly string[]
  /** Of keys; undefined: by name only. */
  readonly prefix?: string | undefined
}

export const urlName = (key: string): string => `u:${key}`
export const tagName = (tag: string): string => `t:${tag}`
export const groupName = (origin: string, group: string): string => `g:${origin} ${group}`
export const serviceName = (service: string): string => `s:${service}`
export const releaseName = (release: string, service?: string): string => (service === undefined ? `r:${release}` : `r:${release} ${service}`)

/** The names that a response has besides its URL and the tags it came with. */
export const originNames = (service: string, release: string | undefined): readonly string[] =>
  release === undefined ? [serviceName(service)] : [serviceName(service), releaseName(release), releaseName(release, service)]

/** The tag that a name stands for; undefined: it is no tag. */
export const tagOfName = (name: string): string | undefined => (name.startsWith('t:') ? name.slice(2) : undefined)

export function invalidationOf(order: PurgeOrder): Invalidation {
  const soft = order.soft === true
  const by = (...names: readonly string[]): Invalidation => ({ soft, all: false, names })
  switch (order.by) {
    case 'url':
      return by(urlName(keyOfUrl(order.url)))
    case 'tag':
      return by(...order.tags.map(tagName))
    case 'prefix':
      return { soft, all: false, names: [], prefix: keyOfUrl(order.prefix) }
    case 'release':
      return by(releaseName(order.release, order.service))
    case 'service':
      return by(serviceName(order.service))
    case 'all':
      return { soft, all: true, names: [] }
  }
}
