/** The middle value (the mean of the two middle ones); NaN of nothing. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? at(sorted, middle) : (at(sorted, middle - 1) + at(sorted, middle)) / 2
}

/** The smallest value that at least the share `q` of all values do not exceed; NaN of nothing. */
export function quantileOf(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN
  const sorted = values.toSorted((a, b) => a - b)
  return at(sorted, Math.max(0, Math.ceil(q * sorted.length) - 1))
}

/** (max − min) / median: how far the rounds lie apart. */
export function spread(values: readonly number[]): number {
  return values.length === 0 ? NaN : (Math.max(...values) - Math.min(...values)) / median(values)
}

const at = (values: readonly number[], index: number): number => values[index] ?? NaN
