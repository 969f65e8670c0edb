/** A response as it goes to the store of the node and comes back: what the worker alone understands, in JSON, and the body as it is. */
import type { FoundFrame, StoredFrame } from '../../core/cache/frames.ts'
import type { StoredResponse } from './stored-response.ts'

type Described = Pick<StoredResponse, 'facts' | 'variant' | 'reason' | 'lines'>

/** What can be validated is of use for so long after it is stale (undici keeps it as long). */
const validatedMs = 86_400_000

export function frameOf(key: string, { facts, variant, names, mark }: StoredResponse): StoredFrame {
  const validated = facts.etag !== undefined || facts.lastModified !== undefined
  const staleMs = Math.max(facts.staleWhileRevalidateMs, facts.staleIfErrorMs ?? 0, validated ? validatedMs : 0)
  return { key, variant, vary: facts.vary, names, mark, bornAt: facts.bornAt, lifetimeMs: facts.lifetimeMs, staleMs }
}

export function headOf({ facts, variant, reason, lines }: StoredResponse): Buffer {
  return Buffer.from(JSON.stringify({ facts, variant, reason, lines } satisfies Described))
}

export function responseOf(head: Buffer, body: Buffer, { names, mark, bornAt }: FoundFrame): StoredResponse {
  const { facts, ...rest } = JSON.parse(head.toString()) as Described
  return { ...rest, facts: { ...facts, bornAt }, body, names, mark, askedAt: -Infinity, checkedAt: -1 }
}
