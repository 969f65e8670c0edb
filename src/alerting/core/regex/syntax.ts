/**
 * Regular expressions as Go reads them (regexp/syntax, that is RE2), since that is what Alertmanager and Prometheus mean by one: from text to a tree. What cannot be
 * matched in linear time (looking ahead or behind, back-references) is no part of it, and is refused.
 */
import { HoldfastError } from '../../../kernel/errors.ts'

export type Test = (codePoint: number) => boolean
export type Assertion = 'begin' | 'end' | 'line begin' | 'line end' | 'word edge' | 'no word edge'

export type Regex =
  | { readonly kind: 'test'; readonly test: Test }
  | { readonly kind: 'assert'; readonly what: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly Regex[] }
  | { readonly kind: 'choice'; readonly parts: readonly Regex[] }
  | { readonly kind: 'repeat'; readonly part: Regex; readonly min: number; readonly max: number }

/** Source: Go, regexp/syntax: larger counts are refused. */
const countMax = 1_000
const depthMax = 100

interface Flags {
  readonly i: boolean
  readonly m: boolean
  readonly s: boolean
}

const isDigit: Test = (c) => c >= 48 && c <= 57
export const isWord: Test = (c) => isDigit(c) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95
const isSpace: Test = (c) => c === 9 || c === 10 || c === 12 || c === 13 || c === 32
const not =
  (test: Test): Test =>
  (c) =>
    !test(c)

const perl: Readonly<Record<string, Test>> = { d: isDigit, w: isWord, s: isSpace, D: not(isDigit), W: not(isWord), S: not(isSpace) }
const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }
const between =
  (from: number, to: number): Test =>
  (c) =>
    c >= from && c <= to
const anyOf =
  (tests: readonly Test[]): Test =>
  (c) =>
    tests.some((test) => test(c))
const [isUpper, isLower] = [between(65, 90), between(97, 122)]
const isAlpha = anyOf([isUpper, isLower])
const posix: Readonly<Record<string, Test>> = {
  alnum: anyOf([isDigit, isAlpha]),
  alpha: isAlpha,
  ascii: between(0, 127),
  blank: (c) => c === 9 || c === 32,
  cntrl: (c) => c < 32 || c === 127,
  digit: isDigit,
  graph: between(33, 126),
  lower: isLower,
  print: between(32, 126),
  punct: anyOf([between(33, 47), between(58, 64), between(91, 96), between(123, 126)]),
  space: anyOf([isSpace, between(11, 11)]),
  upper: isUpper,
  word: isWord,
  xdigit: anyOf([isDigit, between(65, 70), between(97, 102)]),
}
const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(table, name) ? table[name] : undefined)

/** Throws `invalid_input`. */
export const parseRegex = (source: string): Regex => new Parser(source).all()

class Parser {
  readonly #source: string
  readonly #chars: readonly string[]
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#source = source
    this.#chars = Array.from(source)
  }

  all(): Regex {
    const found = this.#choice({ i: false, m: false, s: false })
    if (this.#at < this.#chars.length) throw this.#wrong('a parenthesis closes that was not opened')
    return found
  }

  #wrong(why: string): HoldfastError {
    return new HoldfastError('invalid_input', `tried to read the regular expression ${JSON.stringify(this.#source.slice(0, 200))}: ${why}`)
  }

  #next(): string | undefined {
    return this.#chars[this.#at]
  }

  #take(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#chars[this.#at + i] !== text[i]) return false
    this.#at += text.length
    return true
  }

  /** From here on, without moving. */
  #ahead(form: RegExp): RegExpExecArray | null {
    return form.exec(this.#chars.slice(this.#at, this.#at + 64).join(''))
  }

  #choice(given: Flags): Regex {
    if (++this.#depth > depthMax) throw this.#wrong(`it is nested deeper than ${depthMax}`)
    const parts: Regex[] = []
    let flags = given
    do {
      const [part, after] = this.#sequence(flags)
      parts.push(part)
      // Flags that are set in the middle hold to the end of the group.
      flags = after
    } while (this.#take('|'))
    this.#depth--
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : { kind: 'choice', parts }
  }

  #sequence(given: Flags): readonly [Regex, Flags] {
    const parts: Regex[] = []
    let flags = given
    for (let next = this.#next(); next !== undefined && next !== '|' && next !== ')'; next = this.#next()) {
      const set = this.#flagsAlone(flags)
      if (set !== undefined) {
        flags = set
        continue
      }
      parts.push(this.#repeated(this.#atom(flags)))
    }
    return [{ kind: 'sequence', parts }, flags]
  }

  /** `(?i)` */
  #flagsAlone(flags: Flags): Flags | undefined {
    const found = this.#ahead(/^\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?)\)/)
    if (found === null) return undefined
    this.#at += found[0].length
    return this.#with(flags, found[1] ?? '')
  }

  #with(flags: Flags, letters: string): Flags {
    if (!/^[imsU]*(?:-[imsU]+)?$/.test(letters) || letters === '') throw this.#wrong(`there is no flag (?${letters})`)
    const [on = '', off = ''] = letters.split('-')
    const set = (name: 'i' | 'm' | 's'): boolean => (flags[name] || on.includes(name)) && !off.includes(name)
    return { i: set('i'), m: set('m'), s: set('s') }
  }

  #atom(flags: Flags): Regex {
    const char = this.#chars[this.#at++] ?? ''
    switch (char) {
      case '(':
        return this.#group(flags)
      case '[':
        return { kind: 'test', test: this.#class(flags) }
      case '.':
        return { kind: 'test', test: flags.s ? () => true : (c) => c !== 10 }
      case '^':
        return { kind: 'assert', what: flags.m ? 'line begin' : 'begin' }
      case '$':
        return { kind: 'assert', what: flags.m ? 'line end' : 'end' }
      case '*':
      case '+':
      case '?':
        throw this.#wrong(`there is nothing before ${char} that could be repeated`)
      case '\\':
        return this.#escape(flags)
      default:
        return literal(char.codePointAt(0) ?? 0, flags)
    }
  }

  #group(flags: Flags): Regex {
    let inner = flags
    if (this.#next() === '?') {
      const found = this.#ahead(/^\?(?:P?<([A-Za-z0-9_]+)>|([a-zA-Z]*(?:-[a-zA-Z]+)?):)/)
      if (found === null) throw this.#wrong('only (…), (?:…), (?P<name>…) and (?ims:…) are groups; looking ahead or behind is no part of it')
      this.#at += found[0].length
      if (found[2] !== undefined && found[2] !== '') inner = this.#with(flags, found[2])
    }
    const part = this.#choice(inner)
    if (!this.#take(')')) throw this.#wrong('a parenthesis does not close')
    return part
  }

  #escape(flags: Flags): Regex {
    const char = this.#chars[this.#at] ?? ''
    const asserted = own<Assertion>({ A: 'begin', z: 'end', b: 'word edge', B: 'no word edge' }, char)
    if (asserted !== undefined) {
      this.#at++
      return { kind: 'assert', what: asserted }
    }
    if (this.#take('Q')) {
      const parts: Regex[] = []
      while (this.#at < this.#chars.length && !this.#take('\\E')) parts.push(literal((this.#chars[this.#at++] ?? '').codePointAt(0) ?? 0, flags))
      return { kind: 'sequence', parts }
    }
    const found = this.#escaped()
    return typeof found === 'number' ? literal(found, flags) : { kind: 'test', test: folded(found, flags) }
  }

  /** After a backslash, in a class or outside: a character, or several. */
  #escaped(): number | Test {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw this.#wrong('it ends with a backslash')
    const several = own(perl, char)
    if (several !== undefined) return several
    const control = own(controls, char)
    if (control !== undefined) return control
    if (char === 'p' || char === 'P') return this.#unicode(char === 'P')
    if (char === 'x') {
      const found = this.#ahead(/^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/)
      const code = parseInt(found?.[1] ?? found?.[2] ?? '', 16)
      if (found === null || code > 0x10ffff) throw this.#wrong('\\x wants two hexadecimal digits, or more in braces')
      this.#at += found[0].length
      return code
    }
    const octal = /^[1-7]$/.test(char) ? this.#ahead(/^[0-7]{1,2}/) : char === '0' ? (this.#ahead(/^[0-7]{0,2}/) ?? ['']) : null
    if (octal !== null) {
      this.#at += octal[0].length
      return parseInt(`${char}${octal[0]}`, 8)
    }
    if (/^[0-9a-zA-Z]$/.test(char)) throw this.#wrong(`\\${char} means nothing here`)
    return char.codePointAt(0) ?? 0
  }

  #unicode(negative: boolean): Test {
    const found = this.#ahead(/^(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/)
    const name = found?.[2] ?? found?.[3] ?? ''
    const form = unicodeForm(name)
    if (found === null || form === undefined) throw this.#wrong(`there is no class of characters \\p{${name}}`)
    this.#at += found[0].length
    const isIn: Test = (c) => form.test(String.fromCodePoint(c))
    return negative !== (found[1] === '^') ? not(isIn) : isIn
  }

  /** After `[`. */
  #class(flags: Flags): Test {
    const negative = this.#take('^')
    const tests: Test[] = []
    for (let first = true; first || this.#next() !== ']'; first = false) {
      if (this.#next() === undefined) throw this.#wrong('a bracket does not close')
      tests.push(this.#member())
    }
    this.#at++
    const test = folded(anyOf(tests), flags)
    return negative ? not(test) : test
  }

  #member(): Test {
    const named = this.#ahead(/^\[:(\^?)([a-z]+):\]/)
    if (named !== null) {
      const test = own(posix, named[2] ?? '')
      if (test === undefined) throw this.#wrong(`there is no class of characters ${named[0]}`)
      this.#at += named[0].length
      return named[1] === '^' ? not(test) : test
    }
    const from = this.#end()
    if (typeof from !== 'number') return from
    if (this.#next() !== '-' || this.#chars[this.#at + 1] === ']' || this.#chars[this.#at + 1] === undefined) return between(from, from)
    this.#at++
    const to = this.#end()
    if (typeof to !== 'number' || to < from) throw this.#wrong('a range in brackets ends before it begins')
    return between(from, to)
  }

  #end(): number | Test {
    if (this.#take('\\')) return this.#escaped()
    return (this.#chars[this.#at++] ?? '').codePointAt(0) ?? 0
  }

  #repeated(part: Regex): Regex {
    const found = this.#count()
    if (found === undefined) return part
    // Which of two ways is tried first makes no difference to whether all of it matches.
    this.#take('?')
    if (this.#count() !== undefined) throw this.#wrong('what is repeated is repeated again: put it into parentheses')
    return { kind: 'repeat', part, ...found }
  }

  #count(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Infinity }
    if (this.#take('+')) return { min: 1, max: Infinity }
    if (this.#take('?')) return { min: 0, max: 1 }
    const found = this.#ahead(/^\{(\d{1,6})(,?)(\d{0,6})\}/)
    // Anything else in braces stands for itself.
    if (found === null || (found[2] === '' && found[3] !== '')) return undefined
    this.#at += found[0].length
    const min = Number(found[1])
    const max = found[2] === '' ? min : found[3] === '' ? Infinity : Number(found[3])
    if (min > countMax || (max !== Infinity && max > countMax) || max < min)
      throw this.#wrong(`${found[0]} is no count: at most ${countMax}, the smaller one first`)
    return { min, max }
  }
}

const literal = (code: number, flags: Flags): Regex => ({ kind: 'test', test: folded(between(code, code), flags) })

function folded(test: Test, { i }: Flags): Test {
  if (!i) return test
  return (c) => {
    const char = String.fromCodePoint(c)
    return test(c) || test(char.toLowerCase().codePointAt(0) ?? c) || test(char.toUpperCase().codePointAt(0) ?? c)
  }
}

/** A general category, or a script. */
function unicodeForm(name: string): RegExp | undefined {
  for (const property of [`General_Category=${name}`, `Script=${name}`]) {
    try {
      return new RegExp(`^\\p{${property}}$`, 'u')
    } catch {
      // Not this kind of name.
    }
  }
  return undefined
}
