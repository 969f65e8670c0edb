/**
 * Lines that are redrawn in place on a terminal while something goes on, below everything said before.
 * Where nobody looks, the same news come as plain lines, each once.
 */
import { stripVTControlCharacters } from 'node:util'
import type { Output } from './output.ts'

export class LiveBlock {
  readonly #out: Output
  #drawn = 0
  #last: readonly string[] = []

  constructor(out: Output) {
    this.#out = out
  }

  /** Shows these lines in place of the block's last ones. Off a terminal: says those that are new. */
  show(lines: readonly string[]): void {
    if (this.#out.interactive) {
      const cut = lines.slice(0, Math.max(1, this.#out.rows - 2)).map((line) => fit(line, this.#out.columns - 1))
      this.#out.raw(`${this.#eraseSequence()}${cut.map((line) => `${line}\n`).join('')}`)
      this.#drawn = cut.length
    } else {
      for (const line of lines) if (!this.#last.includes(line)) this.#out.say(line)
    }
    this.#last = lines
  }

  /** Says a line that stays, above the block. */
  say(line: string): void {
    if (!this.#out.interactive) {
      this.#out.say(line)
      return
    }
    const block = this.#last
    this.clear()
    this.#out.say(line)
    if (block.length > 0) this.show(block)
  }

  /** Takes the block away. */
  clear(): void {
    this.#out.raw(this.#eraseSequence())
    this.#drawn = 0
    this.#last = []
  }

  /** Leaves the block where it is and starts below it. */
  keep(): void {
    this.#drawn = 0
    this.#last = []
  }

  #eraseSequence(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[0J`
  }
}

/** Cuts a line to so many columns, so that one line stays one line on the screen; escape sequences take no room and stay. */
export function fit(line: string, columns: number): string {
  if (stripVTControlCharacters(line).length <= columns) return line
  let left = columns
  // eslint-disable-next-line no-control-regex -- escape sequences start with one
  return line.replace(/(\u001b\[[0-9;]*m)|(.)/gu, (_all, sequence: string | undefined, character: string | undefined) => {
    if (sequence !== undefined) return sequence
    left -= 1
    return left > 0 ? (character ?? '') : left === 0 ? '…' : ''
  })
}
