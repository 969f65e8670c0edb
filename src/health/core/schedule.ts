/**
 * When a check is made. The first time at a place within its interval that its name decides, so that many checks spread evenly and each keeps its place over restarts;
 * then an interval later, give or take a tenth, so that no two stay in step for long.
 */
import { jitter, type Random } from '../../kernel/random.ts'

/** Of the interval, to both sides. */
export const jitterShare = 0.1
/** The first time comes sooner than that, however long the interval: somebody waits to see it. */
export const firstWithinMs = 10_000

/** FNV-1a over UTF-16 units, finished by the avalanche of MurmurHash3: short names that differ in the last letter lie far apart. In [0, 1). */
export function place(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

export const firstAt = (name: string, intervalMs: number, now: number): number => now + place(name) * Math.min(intervalMs, firstWithinMs)

/** `due`: when this one should have begun. Intervals that were missed (the machine slept, the process was stopped) are not made up for. */
export function nextAt(due: number, waitMs: number, now: number, random: Random): number {
  const wait = jitter(random, waitMs, jitterShare)
  return due + wait > now ? due + wait : now + wait
}

/** It began so late that a failure tells of us rather than of what was checked. */
export const isLate = (due: number, began: number, intervalMs: number): boolean => began - due > 2 * intervalMs
