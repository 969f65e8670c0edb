/** The cache as the API tells of it, and is asked. */
export type { CacheStats as CacheDescription } from '../api/types.ts'

export interface Purged {
  readonly responses: number
}

/** Exactly one of them, and `soft`; `release` may have a `service`. */
export interface PurgeBody {
  readonly tags?: readonly string[] | undefined
  readonly url?: string | undefined
  readonly prefix?: string | undefined
  readonly release?: string | undefined
  readonly service?: string | undefined
  readonly all?: true | undefined
  readonly soft?: true | undefined
}
