/** What an acceptance run is, and what it finds: figures, each with its target. */
import type { Product } from '../support/product.ts'

export interface Figure {
  readonly what: string
  readonly value: string
  /** Empty: for information. */
  readonly target: string
  readonly met: boolean
}

export interface Scale {
  /** The whole of what is promised, instead of enough to notice that it broke. */
  readonly full: boolean
  readonly signal: AbortSignal
}

export interface Move {
  readonly number: number
  readonly name: string
  readonly title: string
  /** `product` is new, and ended by the caller. */
  run(product: Product, scale: Scale): Promise<readonly Figure[]>
}

export const fact = (what: string, value: string): Figure => ({ what, value, target: '', met: true })

export const none = (what: string, count: number): Figure => ({ what, value: String(count), target: '0', met: count === 0 })

export const exactly = (what: string, count: number, wanted: number): Figure => ({
  what,
  value: String(count),
  target: String(wanted),
  met: count === wanted,
})

export const atMost = (what: string, value: number, limit: number, unit: string): Figure => ({
  what,
  value: `${value.toFixed(0)} ${unit}`,
  target: `≤ ${limit.toFixed(0)} ${unit}`,
  // NaN: nothing was measured, so nothing was proved.
  met: value <= limit,
})

export const atLeast = (what: string, value: number, limit: number): Figure => ({
  what,
  value: String(value),
  target: `≥ ${limit}`,
  met: value >= limit,
})
