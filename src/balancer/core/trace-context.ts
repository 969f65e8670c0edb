/**
 * W3C Trace Context (Recommendation, level 1): a trace is followed when its fields are valid, and begun anew when not. What is passed on
 * names our own span as the parent.
 */

export interface TraceParent {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string
  /** 16 of them: the span of whoever asks. */
  readonly parentId: string
  readonly sampled: boolean
}

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** undefined: not valid, and so as if it were not there (§3.2). */
export function parseTraceparent(value: string): TraceParent | undefined {
  const [, version, traceId, parentId, flags, rest] = pattern.exec(value) ?? []
  if (version === undefined || traceId === undefined || parentId === undefined || flags === undefined) return undefined
  // Later versions may add to the end; `ff` is none, and 00 ends here.
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined
  return { traceId, parentId, sampled: (parseInt(flags, 16) & 1) === 1 }
}

export const writeTraceparent = (traceId: string, spanId: string, sampled: boolean): string => `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

/** §3.3.1.1: at most so many members. */
const membersMax = 32
/** §3.3.1.5: at least so much must be passed on; more is not kept by us. */
const stateBytesMax = 512
const member =
  /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

/** Whether the list may be passed on; one that breaks the grammar is dropped as a whole (§3.3.2). */
export function isTracestate(value: string): boolean {
  if (value.length > stateBytesMax) return false
  const members = value
    .split(',')
    .map((each) => each.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((each) => each !== '')
  const keys = new Set(members.map((each) => each.slice(0, each.indexOf('='))))
  return members.length > 0 && members.length <= membersMax && keys.size === members.length && members.every((each) => member.test(each))
}
