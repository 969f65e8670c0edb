/** Which part of the history has to go: whole revisions, oldest first, until the rest is within the limits. */

/** How much history is kept for watches that start in the past. */
export interface HistoryLimits {
  readonly changesMax: number
  /** Bytes of the values in it. */
  readonly bytesMax: number
}
export const historyLimits: HistoryLimits = { changesMax: 10_000, bytesMax: 64 * 1_048_576 }

export interface HistorySize {
  readonly changes: number
  readonly bytes: number
}

export interface HistoryLine {
  readonly id: number
  readonly revision: number
  readonly bytes: number
}

/** Up to which line the history is dropped, and how many bytes that frees. Undefined: nothing has to go. */
export function planCompaction(
  size: HistorySize,
  limits: HistoryLimits,
  oldestFirst: Iterable<HistoryLine>,
): { readonly id: number; readonly revision: number; readonly bytes: number } | undefined {
  let changes = size.changes
  let bytes = size.bytes
  let last: HistoryLine | undefined
  for (const line of oldestFirst) {
    // A watch must never be told half a revision, so the cut lies between two.
    if (changes <= limits.changesMax && bytes <= limits.bytesMax && line.revision !== last?.revision) break
    changes -= 1
    bytes -= line.bytes
    last = line
  }
  return last && { id: last.id, revision: last.revision, bytes: size.bytes - bytes }
}
