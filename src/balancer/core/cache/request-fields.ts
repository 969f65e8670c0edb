/** The fields of a request whose head came as bytes; read when somebody asks for one. */
import type { Fields } from '../../../cache/core/http/fields.ts'

/** Stands for what no field says and yet selects: the service that is asked. No field of a request can have this name. */
export const fromField = ':from'

const noFields: readonly string[] = []

export function requestFields(head: Buffer, from: string): Fields {
  let values: Map<string, readonly string[]> | undefined
  return { all: (name) => (values ??= read(head).set(fromField, [from])).get(name) ?? noFields }
}

function read(head: Buffer): Map<string, readonly string[]> {
  const values = new Map<string, readonly string[]>()
  for (const line of head.toString('latin1').split('\r\n').slice(1)) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
    const before = values.get(name)
    values.set(name, before === undefined ? [value] : [...before, value])
  }
  return values
}
