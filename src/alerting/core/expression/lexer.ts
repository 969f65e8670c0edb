/** Cuts a condition into tokens, one at a time, so that the parser can say what it expects: names of services may have a `-` in them, sums too. */
import { literalUnits, type LiteralUnit } from './ast.ts'
import { conditionError } from './problem.ts'

export type Token =
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number; readonly value: number; readonly unit: LiteralUnit }
  | { readonly kind: 'text'; readonly text: string; readonly at: number; readonly value: string }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number }

/** Longer ones nobody can read. */
export const conditionLengthMax = 4_096

const space = /\s*/y
const name = /[A-Za-z_][\w:]*(?:\.[A-Za-z_]\w*)*/y
const number = /\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?/y
const unit = /%|[A-Za-z]+/y
const text = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy
const sign = /=~|!~|>=|<=|==|!=|[><=+*/(){},-]/y
/** What may be called so in the configuration. */
const subject = /\*|[A-Za-z0-9][\w.-]*/y

export class Lexer {
  readonly source: string
  #at = 0
  #token: Token | undefined

  constructor(source: string) {
    this.source = source
    if (source.length > conditionLengthMax)
      throw this.problem(conditionLengthMax, 1, `it has ${source.length} characters, and may have ${conditionLengthMax}`)
  }

  peek(): Token {
    this.#token ??= this.#scan()
    return this.#token
  }

  next(): Token {
    const token = this.peek()
    this.#token = undefined
    return token
  }

  /** The next token is a sign or a name with this text: takes it. */
  take(wanted: string): boolean {
    const { kind, text } = this.peek()
    if ((kind !== 'sign' && kind !== 'name') || text !== wanted) return false
    this.next()
    return true
  }

  /** A name of a service or check, or `*`, where one may stand; undefined: something else stands there. */
  subject(): { readonly text: string; readonly at: number } | undefined {
    this.#at += this.#token === undefined ? (this.#match(space, this.#at)?.length ?? 0) : 0
    const at = this.#token?.at ?? this.#at
    const quoted = this.#token?.kind === 'text' ? this.#token : this.#text(at)
    const found = quoted?.text ?? this.#match(subject, at)
    if (found === undefined) return undefined
    this.#token = undefined
    this.#at = at + found.length
    return { text: quoted?.kind === 'text' ? quoted.value : found, at }
  }

  problem(at: number, width: number, what: string, hint?: string): Error {
    return conditionError(this.source, at, width, what, hint)
  }

  #scan(): Token {
    this.#at += this.#match(space, this.#at)?.length ?? 0
    const at = this.#at
    if (at >= this.source.length) return { kind: 'end', text: '', at }
    const found = this.#number(at) ?? this.#name(at) ?? this.#text(at) ?? this.#sign(at)
    if (found === undefined) throw this.problem(at, 1, `${JSON.stringify(this.source[at])} means nothing here`, hintFor(this.source.slice(at)))
    this.#at = at + found.text.length
    return found
  }

  #match(pattern: RegExp, at: number): string | undefined {
    pattern.lastIndex = at
    return pattern.exec(this.source)?.[0]
  }

  #number(at: number): Token | undefined {
    const digits = this.#match(number, at)
    if (digits === undefined) return undefined
    const written = this.#match(unit, at + digits.length) ?? ''
    const known = literalUnits.find((one) => one === written)
    if (known === undefined)
      throw this.problem(at, digits.length + written.length, `${JSON.stringify(written)} is no unit`, unitHint(digits, written))
    const value = Number(digits)
    if (!Number.isFinite(value)) throw this.problem(at, digits.length, 'the number is too large')
    return { kind: 'number', text: digits + written, at, value, unit: known }
  }

  #name(at: number): Token | undefined {
    const found = this.#match(name, at)
    return found === undefined ? undefined : { kind: 'name', text: found, at }
  }

  #text(at: number): Token | undefined {
    const found = this.#match(text, at)
    if (found !== undefined) return { kind: 'text', text: found, at, value: unescaped(found.slice(1, -1)) }
    if (this.source[at] === '"' || this.source[at] === "'") throw this.problem(at, 1, 'the quote does not close')
    return undefined
  }

  #sign(at: number): Token | undefined {
    const found = this.#match(sign, at)
    return found === undefined ? undefined : { kind: 'sign', text: found, at }
  }
}

const unescaped = (text: string): string => text.replaceAll(/\\([\s\S])/g, (_, what: string) => (what === 'n' ? '\n' : what))

function unitHint(digits: string, written: string): string {
  const near = literalUnits.find((one) => one !== '' && one.toLowerCase() === written.toLowerCase())
  if (near !== undefined) return `write ${digits}${near}`
  const size = /^([kmgt])b?$/i.exec(written)?.[1]
  if (size !== undefined) return `write ${digits}${size.toUpperCase()}iB`
  return 'units are %, ms, s, m, h, d, B, KiB, MiB, GiB and TiB'
}

function hintFor(rest: string): string | undefined {
  if (rest.startsWith('&&')) return 'write "and"'
  if (rest.startsWith('||')) return 'write "or"'
  if (rest.startsWith('!')) return 'write "not"'
  if (rest.startsWith('[')) return 'a window stands after a comma: avg(p95(shop), 5m)'
  return undefined
}
