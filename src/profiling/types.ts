/**
 * Profiles: what one process of an instance does for a while, recorded on demand by the reporter it has loaded (`holdfast/instance`), kept as files, read as they are by
 * Chrome's developer tools. The order goes to the instance on the connection over which it reports; the recording comes back on a socket in the data directory. Neither is a port.
 */

/** cpu: where its time goes; heap: a snapshot of everything in its memory; gc: collections, and how long its event loop kept others waiting. */
export const profileKinds = ['cpu', 'heap', 'gc'] as const
export type ProfileKind = (typeof profileKinds)[number]

/** One line, to the instance. */
export interface ProfileOrder {
  readonly profile: ProfileKind
  /** Known to nobody else: it is given back with the recording. */
  readonly id: string
  readonly durationMs: number
  /** The socket to which the recording goes. */
  readonly socket: string
}

/** The first line from the instance: it has begun, or will not. */
export interface ProfileAnswer {
  readonly id: string
  readonly pid: number
  /** Why not; undefined: it has begun. */
  readonly refused?: string | undefined
}

export interface ProfileInfo {
  readonly id: string
  readonly service: string
  readonly instance: string
  /** undefined: it has not begun. */
  readonly pid: number | undefined
  readonly kind: ProfileKind
  readonly state: 'running' | 'done' | 'failed'
  /** Wall time in milliseconds. */
  readonly startedAt: number
  /** As asked for; of a heap snapshot 0. */
  readonly durationMs: number
  /** Of the recording. */
  readonly bytes: number
  /** Why it failed. */
  readonly error: string | undefined
  /** Who asked for it. */
  readonly actor: string
}

/** `.json` beside it says what it is. */
export const profileExtensions: Readonly<Record<ProfileKind, string>> = { cpu: 'cpuprofile', heap: 'heapsnapshot', gc: 'gc' }
/** Longest recording. */
export const profileMsMax = 120_000
/** An order is a short line; so is an answer. */
export const profileLineBytesMax = 4_096
