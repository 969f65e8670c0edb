/** A value in a JSON document by its path: `status.db`, `items[0].ready`, `$.a["b c"]`. Names only: what could match several is not for a check. */
const step = /(?:^|\.)([^.[\]"']+)|\[(\d+)\]|\[(?:"([^"]*)"|'([^']*)')\]/gy

/** undefined: there is none there, or the path is no path. */
export function valueAt(document: unknown, path: string): unknown {
  const text = path.replace(/^\$\.?/, '')
  let value = document
  let at = 0
  step.lastIndex = 0
  while (at < text.length) {
    step.lastIndex = at
    const found = step.exec(text)
    if (!found) return undefined
    at = step.lastIndex
    const name = found[1] ?? found[2] ?? found[3] ?? found[4] ?? ''
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[name]
  }
  return value
}

/** `text` as JSON or as a plain text: `ok`, `"ok"`, `true`, `3`. */
export const isEqual = (value: unknown, text: string): boolean =>
  (typeof value === 'string' && value === text) ||
  JSON.stringify(value) === text ||
  (typeof value === 'number' && text.trim() !== '' && value === Number(text))
