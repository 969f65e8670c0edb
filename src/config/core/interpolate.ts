/**
 * `${VAR}`, `${VAR:-default}` and `${file:PATH}` inside values; `$${` stands for a plain `${`.
 *
 * YAML knows nothing of them: in `{ secret: ${file:key} }` it would take the braces for a map of its own. So before
 * YAML sees the text, each reference is masked by characters that mean nothing to it, one for one, so that every
 * position stays true; they are unmasked in each scalar afterwards. What stands between the braces is therefore taken
 * literally, whatever quotes stand around it. The characters are lone surrogates, which no well-formed text contains.
 * The road not taken: expanding before parsing. A value could then inject YAML.
 */
import { plainLine } from './words.ts'

/** Defaults may hold references again, this deep. */
const nestingMax = 8

interface Span {
  readonly start: number
  readonly end: number
  /** `$${`: stands for itself without the first dollar; what follows is looked at as usual. */
  readonly escaped: boolean
}

/** The references of a text, outermost only, and the escapes; a reference that is never closed spans just its opening. */
function* spans(text: string): Generator<Span> {
  let at = text.indexOf('${')
  if (at === -1) return
  const closing = closings(text)
  while (at !== -1) {
    const escaped = at > 0 && text[at - 1] === '$'
    const end = escaped ? at + 2 : (closing.get(at + 1) ?? at + 2)
    yield { start: escaped ? at - 1 : at, end, escaped }
    at = text.indexOf('${', end)
  }
}

/** For each brace that is closed on its own line: where what it opens ends. */
function closings(text: string): ReadonlyMap<number, number> {
  const ends = new Map<number, number>()
  let open: number[] = []
  for (const { 0: mark, index } of text.matchAll(/[{}\r\n]/g)) {
    if (mark === '{') open.push(index)
    else if (mark !== '}') open = []
    else {
      const begun = open.pop()
      if (begun !== undefined) ends.set(begun, index + 1)
    }
  }
  return ends
}

const maskBase = 0xdc00

/** Hides every reference of a well-formed text from YAML; the length stays the same. */
export function mask(text: string): string {
  let masked = ''
  let done = 0
  for (const span of spans(text)) {
    const { start } = span
    const end = span.escaped ? afterEscaped(text, span.end) : span.end
    const hidden = text.slice(start, end).replace(/[\x20-\x7e]/g, (c) => String.fromCharCode(maskBase + c.charCodeAt(0)))
    masked += text.slice(done, start) + hidden
    done = end
  }
  return masked + text.slice(done)
}

/** Where `$${NAME}` ends for YAML: behind its brace, so that it can stand unquoted as well; but never behind a quote. */
function afterEscaped(text: string, from: number): number {
  const body = /[^"'\\{}\r\n]*\}/y
  body.lastIndex = from
  return body.test(text) ? body.lastIndex : from
}

export function unmask(text: string): string {
  return text.replace(/(?<![\ud800-\udbff])[\udc20-\udc7e]/g, (c) => String.fromCharCode(c.charCodeAt(0) - maskBase))
}

export type Reference =
  { readonly kind: 'variable'; readonly name: string; readonly fallback: string | undefined } | { readonly kind: 'file'; readonly path: string }

/** What a reference stands for, or why it stands for nothing. */
export type Resolved = { readonly text: string; readonly secret: boolean } | { readonly problem: string; readonly hint?: string }
export type Resolve = (reference: Reference) => Resolved

export interface Expansion {
  readonly text: string
  /** It holds something from a secret file or a secret-looking variable. */
  readonly secret: boolean
  /** The references used, as written. */
  readonly references: readonly string[]
}

/** Replaces the references of one value; gives up at the first one that cannot be, or when the text gets longer than `lengthMax`. */
export function expand(text: string, resolve: Resolve, lengthMax: number, nesting = 0): Expansion | { readonly problem: string; readonly hint?: string } {
  let expanded = ''
  let secret = false
  const references: string[] = []
  let done = 0
  for (const { start, end, escaped } of spans(text)) {
    expanded += text.slice(done, start)
    done = end
    if (escaped) {
      expanded += '${'
      continue
    }
    const written = text.slice(start, end)
    const resolved = resolveOne(written, resolve, lengthMax, nesting)
    if ('problem' in resolved) return resolved
    expanded += resolved.text
    secret ||= resolved.secret
    references.push(written)
    if (expanded.length > lengthMax) return { problem: `gets longer than ${lengthMax} characters with ${written} filled in` }
  }
  return { text: expanded + text.slice(done), secret, references }
}

function resolveOne(written: string, resolve: Resolve, lengthMax: number, nesting: number): Resolved {
  if (!written.endsWith('}')) return { problem: '"${" is never closed on its line', hint: 'close it with "}", or write "$${" for a plain "${"' }
  if (nesting >= nestingMax) return { problem: `\${…} is nested deeper than ${nestingMax}` }
  const [, variable, fallback, path] = /^\$\{(?:([A-Za-z_]\w*)(?::-(.*))?|file:(.+))\}$/s.exec(written) ?? []
  if (variable !== undefined) {
    const resolved = resolve({ kind: 'variable', name: variable, fallback })
    if ('problem' in resolved || fallback === undefined || resolved.text !== '') return resolved
    const expanded = expand(fallback, resolve, lengthMax, nesting + 1)
    // The default of a secret is as secret as the secret.
    return 'problem' in expanded ? expanded : { text: expanded.text, secret: expanded.secret || resolved.secret }
  }
  if (path === undefined) return { problem: `${plainLine(written, 60)} is not a reference`, hint: 'write ${NAME}, ${NAME:-default} or ${file:PATH}, or "$${" for a plain "${"' }
  const expanded = expand(path, resolve, lengthMax, nesting + 1)
  return 'problem' in expanded ? expanded : resolve({ kind: 'file', path: expanded.text.trim() })
}
