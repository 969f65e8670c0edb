/** The head of a request as the conditions of routes read it. */
import type { ConditionReading } from '../core/route-conditions.ts'
import { text } from '../http1/bytes.ts'
import { fieldStride, fieldText, nameEnd, nameStart, type Head } from '../http1/head.ts'

class HeadForConditions implements ConditionReading {
  target = ''
  #head: Head | undefined
  #buffer: Buffer = Buffer.alloc(0)

  take(target: string, head: Head, buffer: Buffer): this {
    this.target = target
    this.#head = head
    this.#buffer = buffer
    return this
  }

  values(name: string): readonly string[] {
    const head = this.#head!
    const values: string[] = []
    for (let i = 0; i < head.fieldCount; i++) {
      const base = i * fieldStride
      const start = head.fields[base + nameStart]!
      const end = head.fields[base + nameEnd]!
      if (end - start === name.length && text(this.#buffer, start, end).toLowerCase() === name) values.push(fieldText(head, this.#buffer, i))
    }
    return values
  }
}

const request = new HeadForConditions()

/** Good until the next request is read. */
export const conditionReading = (target: string, head: Head, buffer: Buffer): ConditionReading => request.take(target, head, buffer)
