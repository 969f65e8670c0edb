/**
 * Reads the value of a Cookie field, and takes one cookie out of it, leaving every other byte as it was (RFC 6265 §5.4). A value in double
 * quotes may hold `;`, as servers of the older standard read it; a quote that is never closed is a character like any other, so that it
 * hides nothing behind it.
 */

const semicolon = 59
const quote = 34
const backslash = 92
const equals = 61

const isSpace = (code: number): boolean => code === 32 || code === 9

/** Where the pair that begins at `start` ends: at its `;` or at the end. */
function pairEnd(text: string, start: number): number {
  let quoted = false
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === semicolon) return i
    // A quote opens a value right behind its first `=` only.
    if (code === equals && !quoted) {
      quoted = true
      if (text.charCodeAt(i + 1) === quote) i = Math.max(i, quoteEnd(text, i + 2))
    }
  }
  return text.length
}

/** The offset of the closing quote; −1 when there is none. */
function quoteEnd(text: string, start: number): number {
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) return i
    if (code === backslash) i++
  }
  return -1
}

/** Calls back with name and value of each pair, without white space around them, and with where it lies; `start` to `end`, the `;` left out. */
function eachPair(text: string, call: (name: string, value: string, start: number, end: number) => void): void {
  for (let start = 0; start <= text.length;) {
    const end = pairEnd(text, start)
    let from = start
    let to = end
    while (from < to && isSpace(text.charCodeAt(from))) from++
    while (to > from && isSpace(text.charCodeAt(to - 1))) to--
    const pair = text.slice(from, to)
    const sign = pair.indexOf('=')
    if (sign < 0) call(pair, '', start, end)
    else call(pair.slice(0, sign).trimEnd(), pair.slice(sign + 1).trimStart(), start, end)
    start = end + 1
  }
}

/** The values of all cookies of this name. */
export function cookieValues(text: string, name: string): string[] {
  const values: string[] = []
  if (!text.includes(name)) return values
  eachPair(text, (each, value) => {
    if (each === name) values.push(value)
  })
  return values
}

export interface Taken {
  readonly values: readonly string[]
  /** The field's value without them; empty: nothing is left of it. */
  readonly rest: string
}

/** Takes all cookies of this name out; undefined: there is none. */
export function takeCookie(text: string, name: string): Taken | undefined {
  if (!text.includes(name)) return undefined
  const values: string[] = []
  const kept: string[] = []
  eachPair(text, (each, value, start, end) => {
    if (each === name) values.push(value)
    else kept.push(text.slice(start, end))
  })
  if (values.length === 0) return undefined
  const rest = kept.join(';').replace(/^[ \t]+|[ \t]+$/g, '')
  return { values, rest: /^[; \t]*$/.test(rest) ? '' : rest }
}
