/** A response as it goes to the store of the node and comes back: what the worker alone understands, in JSON, and the body as it is. */
import type { StoredFrame } from '../../core/cache/frames.ts'
import { ageAt } from '../../../cache/core/http/serving.ts'
import type { StoredResponse } from './stored-response.ts'

type Described = Pick<StoredResponse, 'facts' | 'variant' | 'reason' | 'lines'>

/** What can be validated is of use for so long after it is stale (undici keeps it as long). */
const validatedMs = 86_400_000

export function frameOf(key: string, stored: StoredResponse, wallTime: number): StoredFrame {
  const { facts, variant, names, mark } = stored
  const freshMs = facts.lifetimeMs - ageAt(facts, wallTime)
  const validated = facts.etag !== undefined || facts.lastModified !== undefined
  const staleMs = Math.max(facts.staleWhileRevalidateMs, facts.staleIfErrorMs ?? 0, validated ? validatedMs : 0)
  return { key, variant, vary: facts.vary, names, mark, bornAt: facts.bornAt, freshMs, usefulMs: Math.max(0, freshMs) + staleMs }
}

export function headOf({ facts, variant, reason, lines }: StoredResponse): Buffer {
  return Buffer.from(JSON.stringify({ facts, variant, reason, lines } satisfies Described))
}

export function responseOf(
  head: Buffer,
  body: Buffer,
  { names, mark }: { readonly names: readonly string[]; readonly mark: number },
): StoredResponse {
  return { ...(JSON.parse(head.toString()) as Described), body, names, mark, askedAt: -Infinity, checkedAt: -1 }
}
