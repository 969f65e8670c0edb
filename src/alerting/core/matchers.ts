/** Label matchers, as Alertmanager's classic syntax has them: `name=value`, `!=`, `=~`, `!~`; values may be quoted. */
import { HoldfastError } from '../../kernel/errors.ts'
import type { Labels } from '../../kernel/labels.ts'
import { parseRegex, type Regex } from './regex.ts'

export interface Matcher {
  readonly name: string
  readonly value: string
  readonly isRegex: boolean
  readonly isEqual: boolean
}

/** As it is written where it is read: `severity=~"page|call"`. */
export const written = ({ name, value, isRegex, isEqual }: Matcher): string =>
  `${name}${isEqual ? (isRegex ? '=~' : '=') : isRegex ? '!~' : '!='}${JSON.stringify(value)}`

/** A missing label is an empty one. Labels may have any name, also that of something all objects have. */
export const labelOf = (labels: Labels, name: string): string => (Object.hasOwn(labels, name) ? (labels[name] ?? '') : '')

export const matches = (matchers: readonly Matcher[], labels: Labels): boolean =>
  matchers.every((matcher) => matchesOne(matcher, labelOf(labels, matcher.name)))

/** Those that name a value. */
export const plainsOf = (matchers: readonly Matcher[]): Matcher[] =>
  matchers.filter(({ isEqual, isRegex, value }) => isEqual && !isRegex && value !== '')

const compiled = new WeakMap<Matcher, Regex>()

function matchesOne(matcher: Matcher, value: string): boolean {
  if (!matcher.isRegex) return (matcher.value === value) === matcher.isEqual
  let regex = compiled.get(matcher)
  if (regex === undefined) {
    regex = parseRegex(matcher.value)
    compiled.set(matcher, regex)
  }
  return regex.matches(value) === matcher.isEqual
}

const form = /^([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)/

export function parseMatcher(text: string): Matcher {
  const trimmed = text.trim()
  const found = form.exec(trimmed)
  if (found === null) throw new HoldfastError('invalid_input', `tried to read the matcher ${JSON.stringify(text)}: expected NAME=VALUE, !=, =~ or !~`)
  const [head, name = '', operator = '='] = found
  const raw = trimmed.slice(head.length).trimStart()
  const matcher = { name, value: unquoted(raw, text), isRegex: operator.endsWith('~'), isEqual: operator.startsWith('=') }
  if (matcher.isRegex) parseRegex(matcher.value)
  return matcher
}

function unquoted(raw: string, text: string): string {
  if (!raw.startsWith('"')) {
    if (raw.includes('"') && !raw.includes('\\"'))
      throw new HoldfastError('invalid_input', `tried to read the matcher ${JSON.stringify(text)}: a quote in the middle of the value`)
    return unescaped(raw)
  }
  if (raw.length < 2 || !raw.endsWith('"'))
    throw new HoldfastError('invalid_input', `tried to read the matcher ${JSON.stringify(text)}: the value's quotes do not close`)
  return unescaped(raw.slice(1, -1))
}

const unescaped = (text: string): string => text.replaceAll(/\\(["\\n])/g, (_, what: string) => (what === 'n' ? '\n' : what))

/** `{a="b", c=~"d"}`, with or without braces; an empty one matches everything. */
export function parseMatchers(text: string): Matcher[] {
  const inner = text.trim().replace(/^\{([\s\S]*)\}$/, '$1')
  if (inner.trim() === '') return []
  return split(inner).map(parseMatcher)
}

/** At commas outside of quotes; a last comma is allowed. */
function split(text: string): string[] {
  const parts = ['']
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i)
    if (char === ',' && !quoted) parts.push('')
    else {
      if (char === '"') quoted = !quoted
      const more = char === '\\' ? text.charAt(++i) : ''
      parts.push(`${parts.pop() ?? ''}${char}${more}`)
    }
  }
  if (parts.length > 1 && parts.at(-1)?.trim() === '') parts.pop()
  return parts
}
