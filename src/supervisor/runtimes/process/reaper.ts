/**
 * Kills what instances have left behind: whatever still carries their mark, in their process group or out of it.
 * One search through all processes serves all instances that have ended meanwhile.
 */
import { codeOf } from '../../../kernel/errors.ts'
import { marks } from './environment.ts'
import type { ProcessTable } from './process-table.ts'

/** Rounds of killing what carries an instance's mark, since a process may fork while it is being looked for. */
const reapRoundsMax = 50

export class Reaper {
  readonly #table: ProcessTable
  readonly #dataDirectory: string
  readonly #toReap = new Set<string>()
  #reaping: Promise<void> | undefined

  constructor(table: ProcessTable, dataDirectory: string) {
    this.#table = table
    this.#dataDirectory = dataDirectory
  }

  reap(id: string): void {
    this.#toReap.add(id)
    this.#reaping ??= this.#reapAll()
  }

  /** Resolves when all that was to be reaped is gone. */
  async done(): Promise<void> {
    while (this.#reaping) await this.#reaping
  }

  async #reapAll(): Promise<void> {
    // Those that end in this tick are found by the same search.
    await Promise.resolve()
    while (this.#toReap.size > 0) {
      const ids = new Set(this.#toReap)
      this.#toReap.clear()
      await this.#killMarked(ids)
    }
    this.#reaping = undefined
  }

  async #killMarked(ids: ReadonlySet<string>): Promise<void> {
    for (let round = 0; round < reapRoundsMax; round++) {
      const found = await this.#table.marked(
        (environment) => environment.get(marks.data) === this.#dataDirectory && ids.has(environment.get(marks.instance) ?? ''),
      )
      if (found.length === 0) return
      for (const { identity } of found) killOne(identity.pid)
    }
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH' && codeOf(error) !== 'EPERM') throw error
  }
}
