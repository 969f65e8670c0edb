/** A single range of bytes from a response that is stored whole (RFC 9110, 14). Several at once are left to the origin. */
export type Range =
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'unsatisfiable' }
  | { readonly kind: 'whole' }
  | { readonly kind: 'forward' }

const spec = /^bytes[ \t]*=[ \t]*(?:(\d+)[ \t]*-[ \t]*(\d*)|-[ \t]*(\d+))$/i

/** `to` is the last byte of it. An unreadable range asks for the whole. */
export function rangeOf(value: string, length: number): Range {
  const text = value.trim()
  if (!/^bytes[ \t]*=/i.test(text)) return { kind: 'whole' }
  if (text.includes(',')) return { kind: 'forward' }
  const match = spec.exec(text)
  if (match === null) return { kind: 'whole' }
  const [, first, last, suffix] = match
  if (suffix !== undefined) {
    const count = Math.min(length, Number(suffix))
    return count === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', from: length - count, to: length - 1 }
  }
  const from = Number(first)
  const to = last === '' || last === undefined ? length - 1 : Number(last)
  if (last !== '' && to < from) return { kind: 'whole' }
  return from >= length ? { kind: 'unsatisfiable' } : { kind: 'part', from, to: Math.min(to, length - 1) }
}
