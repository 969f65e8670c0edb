/** What the benchmarks' command lines have in common. */

/** The names of a list separated by commas, all of them without one; rejects unknown ones. */
export function choose<T extends string>(what: string, list: string | undefined, known: readonly T[]): readonly T[] {
  const names = list?.split(',') ?? known
  const unknown = names.filter((name) => !known.includes(name as T))
  if (unknown.length > 0) throw new Error(`unknown ${what} ${unknown.join(', ')}; there are ${known.join(', ')}`)
  return known.filter((name) => names.includes(name))
}

export function positive(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1, got ${text}`)
  return value
}

/** For the name of a result file. */
export const stamp = (date: string): string => date.slice(0, 19).replaceAll(':', '')
