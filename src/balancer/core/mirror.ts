/** Mirroring as plain data: what is copied to another service, and what came of it. */

export interface MirrorView {
  /** Gets the copies. */
  readonly service: string
  /** Of the requests with these methods, 0 to 1. */
  readonly share: number
  readonly methods: readonly string[]
  /** Its answers are held against those that clients got. */
  readonly compare: boolean
  /** A request with a longer body is not copied; of answers so much is compared. */
  readonly maxBodyBytes: number
}

export const mirrorResults = ['same', 'differs', 'answered', 'failed', 'dropped'] as const

/**
 * `same`, `differs`: compared. `answered`: answered where nothing is compared. `failed`: no whole answer. `dropped`: not sent (too many
 * under way, nobody to send to, a body that is not at hand), or nothing to compare with: the client's answer was cut.
 */
export type MirrorResult = (typeof mirrorResults)[number]

export type MirrorCounts = Readonly<Record<MirrorResult, number>>

export interface MirroredAnswer {
  readonly status: number
  readonly contentType: string
  /** Of the body, as far as it was compared. */
  readonly bytes: number
  /** SHA-256 of that. */
  readonly hash: string
}

export interface MirrorDifference {
  /** Wall time in milliseconds. */
  readonly at: number
  readonly request: string
  readonly method: string
  /** The target without its query: what is in there may be secret. */
  readonly path: string
  readonly differs: readonly (keyof MirroredAnswer)[]
  readonly original: MirroredAnswer
  readonly mirrored: MirroredAnswer
}

export interface MirrorTelemetry {
  readonly counts: MirrorCounts
  /** The last ones, oldest first. */
  readonly differences: readonly MirrorDifference[]
}

/** Differences kept per service; older ones are forgotten. */
export const differencesMax = 50

export const noMirrorCounts: MirrorCounts = { same: 0, differs: 0, answered: 0, failed: 0, dropped: 0 }

export function addMirror(to: MirrorTelemetry | undefined, more: MirrorTelemetry): MirrorTelemetry {
  if (to === undefined) return more
  const counts = Object.fromEntries(mirrorResults.map((result) => [result, to.counts[result] + more.counts[result]])) as MirrorCounts
  return { counts, differences: [...to.differences, ...more.differences].slice(-differencesMax) }
}

/** In what they differ; none: nothing. */
export function differenceOf(original: MirroredAnswer, mirrored: MirroredAnswer): readonly (keyof MirroredAnswer)[] {
  return (['status', 'contentType', 'bytes', 'hash'] as const).filter((key) => original[key] !== mirrored[key])
}
