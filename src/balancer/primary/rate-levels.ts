/**
 * How far the clients of rate limits have used up their quotas, written down once a second for the primary that comes next. Otherwise whoever makes one
 * die would begin with a whole burst again. What is full again within a second is not worth writing.
 */
import { readFileSync, rmSync } from 'node:fs'
import { codeOf, messageOf } from '../../kernel/errors.ts'
import { writeFileAtomic } from '../../kernel/files.ts'
import type { Gcra } from '../../resilience/core/rate.ts'
import { rateLevelsFile } from '../paths.ts'

/** Keys that are written down, of all limits: about half a megabyte. Beyond, those that have used up most of their quota. */
const levelsMax = 10_000
const levelLeastMs = 1_000

export interface RateLevels {
  /** By the wall clock. */
  readonly at: number
  readonly levels: readonly (readonly [scope: string, key: string, aheadMs: number])[]
}

export function takeLevels(tables: ReadonlyMap<string, Gcra>, now: number, wall: number): RateLevels {
  const levels: [string, string, number][] = []
  for (const [scope, table] of tables) for (const [key, aheadMs] of table.levels(now, levelLeastMs)) levels.push([scope, key, Math.round(aheadMs)])
  if (levels.length > levelsMax) levels.sort((a, b) => b[2] - a[2]).length = levelsMax
  return { at: wall, levels }
}

export function giveLevels({ at, levels }: RateLevels, scope: string, table: Gcra, now: number, wall: number): void {
  const passedMs = Math.max(0, wall - at)
  for (const [each, key, aheadMs] of levels) if (each === scope && aheadMs > passedMs) table.setLevel(key, now, aheadMs - passedMs)
}

/** A ruined file must not end the one who inherits it. */
function areLevels(found: unknown): found is RateLevels {
  if (typeof found !== 'object' || found === null || !('at' in found) || !('levels' in found)) return false
  const { at, levels } = found
  if (!Number.isFinite(at) || !Array.isArray(levels) || levels.length > levelsMax) return false
  return levels.every(
    (each: unknown) =>
      Array.isArray(each) && each.length === 3 && typeof each[0] === 'string' && typeof each[1] === 'string' && Number.isFinite(each[2]),
  )
}

/** Writes them when there are any, one at a time. */
export class RateLevelsFile {
  readonly #file: string
  #writing = false
  #empty = true

  constructor(directory: string) {
    this.#file = rateLevelsFile(directory)
  }

  async save(levels: RateLevels): Promise<void> {
    const empty = levels.levels.length === 0
    if (this.#writing || (empty && this.#empty)) return
    this.#writing = true
    this.#empty = empty
    try {
      await writeFileAtomic(this.#file, JSON.stringify(levels), 0o600)
    } catch (error) {
      // A full disk must not stop traffic; only an heir would miss the file.
      process.stderr.write(`saving the levels of rate limits failed: ${messageOf(error)}\n`)
    }
    this.#writing = false
  }

  /** undefined: nobody had used up anything, or what is written there cannot be read, which is said. */
  load(): RateLevels | undefined {
    try {
      const found: unknown = JSON.parse(readFileSync(this.#file, 'utf8'))
      if (!areLevels(found)) throw new Error('it does not hold levels')
      return found
    } catch (error) {
      if (codeOf(error) !== 'ENOENT')
        process.stderr.write(`reading the levels of rate limits in ${this.#file} failed: ${messageOf(error)}; all begin with a whole quota\n`)
      return undefined
    }
  }

  remove(): void {
    rmSync(this.#file, { force: true })
  }
}
