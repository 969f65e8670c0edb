/** `Cache-Status` (RFC 9211): what the cache did with this request, for whoever reads the answer. */
export interface CacheStatus {
  /** Served out of the store; with `ttl`. Excludes `fwd`. */
  readonly hit?: boolean | undefined
  readonly fwd?: 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial' | 'method' | 'bypass' | undefined
  readonly fwdStatus?: number | undefined
  /** Seconds it stays fresh; below 0 when stale. */
  readonly ttl?: number | undefined
  readonly stored?: boolean | undefined
  readonly collapsed?: boolean | undefined
  readonly detail?: string | undefined
}

const token = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/
const quoted = (text: string): string => (token.test(text) ? text : `"${text.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`)

/** The member of the list that is ours. */
export function cacheStatusOf(status: CacheStatus): string {
  const { hit, fwd, fwdStatus, ttl, stored, collapsed, detail } = status
  let text = 'holdfast'
  if (hit === true) text += '; hit'
  else if (fwd !== undefined) text += `; fwd=${fwd}`
  if (hit !== true && fwdStatus !== undefined) text += `; fwd-status=${fwdStatus}`
  if (ttl !== undefined) text += `; ttl=${Math.floor(ttl)}`
  if (stored === true) text += '; stored'
  if (collapsed !== undefined) text += collapsed ? '; collapsed' : '; collapsed=?0'
  if (detail !== undefined) text += `; detail=${quoted(detail)}`
  return text
}
