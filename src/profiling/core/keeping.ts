/** Which profiles are kept: bounded in number, bytes and age, the oldest go. What is being recorded stays. */
import type { ProfileInfo } from '../types.ts'

export const keptMax = 50
export const keptBytesMax = 1024 ** 3
/** One recording. A heap snapshot is about as large as the heap. */
export const profileBytesMax = 512 * 1024 ** 2
export const keptMsMax = 14 * 86_400_000

/** Those that go. */
export function superfluous(profiles: readonly ProfileInfo[], now: number): readonly ProfileInfo[] {
  const newestFirst = profiles.filter(({ state }) => state !== 'running').sort((a, b) => b.startedAt - a.startedAt)
  let bytes = 0
  return newestFirst.filter((profile, index) => {
    bytes += profile.bytes
    // The newest stays however large it is: somebody has just asked for it.
    return index > 0 && (index >= keptMax || bytes > keptBytesMax || now - profile.startedAt > keptMsMax)
  })
}
