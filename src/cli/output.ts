/**
 * Everything a command says goes through here, so that `--json` means the same everywhere:
 *
 *     result   text once                   one indented document { success: true, data }
 *     item     one line                    one document { success: true, data } per line, for streams
 *     say      one line                    nothing
 *     note     one line on stderr          nothing
 *     fail     one line on stderr          one document { success: false, error }
 */
import { describeError, errorText } from './errors.ts'
import { painter, wantsColour, type Paint } from './style.ts'

/** The part of a tty.WriteStream that is used; tests give a string collector. */
export interface TextStream {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** What a command that ends has found: for programs, and for people. */
export interface Result {
  readonly data: unknown
  readonly text: string
}

export interface OutputOptions {
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly env: NodeJS.ProcessEnv
  readonly json: boolean
}

/** Columns assumed where nobody tells: pipes and files are not cut. */
const columnsOfPipe = 200

export class Output {
  readonly json: boolean
  /** A person looks at stdout: lines may be redrawn in place. */
  readonly interactive: boolean
  readonly coloured: boolean
  readonly paint: Paint
  readonly #stdout: TextStream
  readonly #stderr: TextStream
  readonly #paintError: Paint
  #streaming = false

  constructor({ stdout, stderr, env, json }: OutputOptions) {
    this.json = json
    this.interactive = !json && stdout.isTTY === true && env.TERM !== 'dumb'
    this.coloured = wantsColour(stdout.isTTY === true, env)
    this.paint = painter(this.coloured)
    this.#stdout = stdout
    this.#stderr = stderr
    this.#paintError = painter(wantsColour(stderr.isTTY === true, env))
  }

  get columns(): number {
    return this.#stdout.columns ?? columnsOfPipe
  }

  get rows(): number {
    return this.#stdout.rows ?? 24
  }

  result({ data, text }: Result): void {
    if (this.json) this.#stdout.write(`${JSON.stringify({ success: true, data }, null, 2)}\n`)
    else if (text !== '') this.#stdout.write(`${text}\n`)
  }

  /** One element of a stream. */
  item(data: unknown, text: string): void {
    this.#streaming = true
    this.#stdout.write(this.json ? `${JSON.stringify({ success: true, data })}\n` : `${text}\n`)
  }

  say(text: string): void {
    if (!this.json) this.#stdout.write(`${text}\n`)
  }

  note(text: string): void {
    if (!this.json) this.#stderr.write(`${text}\n`)
  }

  /** Cursor movement and the like; only when `interactive`. */
  raw(text: string): void {
    if (this.interactive) this.#stdout.write(text)
  }

  fail(thrown: unknown): void {
    if (this.json) this.#stdout.write(`${JSON.stringify({ success: false, error: describeError(thrown) }, null, this.#streaming ? 0 : 2)}\n`)
    else this.#stderr.write(`${this.#paintError('red', 'error:')} ${errorText(thrown)}\n`)
  }
}
