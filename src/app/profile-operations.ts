/** What a user can ask of profiles: to have one recorded, and to read those that were. */
import type { Flame, FlameNode } from '../profiling/core/flame.ts'
import { profileKinds, profileMsMax, type ProfileInfo, type ProfileKind } from '../profiling/types.ts'
import type { Actor } from './operations.ts'

export { profileKinds, profileMsMax, type Flame, type FlameNode, type ProfileInfo, type ProfileKind }

export interface ProfileOptions {
  readonly kind: ProfileKind
  /** Of a heap snapshot it means nothing. */
  readonly durationMs: number
  /** Default: the one that uses the most CPU, of those that report. */
  readonly instance?: string | undefined
  readonly actor: Actor
}

export interface ProfileOperations {
  /** Resolves when the instance has begun. Rejects with `unknown_service`, `unknown_instance`, `not_reporting`, `conflict`, `profile_failed`. */
  take(service: string, options: ProfileOptions): Promise<ProfileInfo>
  /** Newest first. */
  list(): readonly ProfileInfo[]
  /** Throws `unknown_profile`. */
  get(id: string): ProfileInfo
  /** The file with its recording. Throws `unknown_profile`, `conflict` when there is none. */
  file(id: string): string
  /** Where the time went, as a tree. Rejects with `invalid_input` for what is no CPU profile. */
  flame(id: string): Promise<Flame>
  /** Rejects with `conflict` while it is being recorded. */
  remove(id: string, options: { actor: Actor }): Promise<void>
}
