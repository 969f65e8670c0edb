/** The fields of a parsed head, as the cache's rules read them. Valid as long as the bytes are. */
import { targetFields } from '../../../cache/core/http/control.ts'
import type { Fields } from '../../../cache/core/http/fields.ts'
import type { Line } from '../../../cache/core/http/update.ts'
import { fromField } from '../../core/cache/request-fields.ts'
import { text } from '../../http1/bytes.ts'
import { fieldStride, nameEnd, nameStart, valueEnd, valueStart, type Head } from '../../http1/head.ts'

export class HeadFields implements Fields {
  readonly #head: Head
  readonly #buffer: Buffer

  constructor(head: Head, buffer: Buffer) {
    this.#head = head
    this.#buffer = buffer
  }

  all(name: string): readonly string[] {
    const found: string[] = []
    for (let i = 0; i < this.#head.fieldCount; i++) if (this.#nameAt(i, name)) found.push(this.#valueAt(i))
    return found
  }

  #nameAt(i: number, name: string): boolean {
    const { fields } = this.#head
    const start = fields[i * fieldStride + nameStart]!
    const end = fields[i * fieldStride + nameEnd]!
    return end - start === name.length && text(this.#buffer, start, end).toLowerCase() === name
  }

  #valueAt(i: number): string {
    const { fields } = this.#head
    return text(this.#buffer, fields[i * fieldStride + valueStart]!, fields[i * fieldStride + valueEnd]!)
  }

  /** All lines, in their order. */
  lines(): readonly Line[] {
    const { fields, fieldCount } = this.#head
    return Array.from({ length: fieldCount }, (_, i) => [
      text(this.#buffer, fields[i * fieldStride + nameStart]!, fields[i * fieldStride + nameEnd]!),
      this.#valueAt(i),
    ])
  }
}

/** The fields of a request, and of whom it asks. */
export class SelectingFields extends HeadFields {
  readonly #from: readonly string[]

  constructor(head: Head, buffer: Buffer, from: string) {
    super(head, buffer)
    this.#from = [from]
  }

  override all(name: string): readonly string[] {
    return name === fromField ? this.#from : super.all(name)
  }
}

/** What is never stored as a line, and yet counts: of the answer that brings news. */
const newsOnly: ReadonlySet<string> = new Set(['age', ...targetFields])

/** The fields of stored lines, brought up to date by an answer without a body. */
export const withNews = (lines: readonly Line[], news: Fields): Fields => ({
  all: (name) => (newsOnly.has(name) ? news.all(name) : lines.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)),
})
