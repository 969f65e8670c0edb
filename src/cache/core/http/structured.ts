/**
 * Dictionaries and lists of RFC 9651, as far as targeted cache control (RFC 9213) and cache groups (RFC 9875) need them: the members, with the bare item of each. Parameters are read over; inner
 * lists are no directive of ours and read over too. Anything malformed makes the whole field nothing, as the RFC demands.
 */
export type BareItem = number | string | boolean | { readonly token: string } | { readonly decimal: number } | { readonly other: true }

class Malformed extends Error {}

/** undefined: it is no dictionary. */
export const parseDictionary = (text: string): ReadonlyMap<string, BareItem> | undefined => unlessMalformed(() => new Reader(text).dictionary())

/** The members of a list, inner lists as `other`; undefined: it is no list. */
export const parseList = (text: string): readonly BareItem[] | undefined => unlessMalformed(() => new Reader(text).list())

function unlessMalformed<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  dictionary(): Map<string, BareItem> {
    const members = new Map<string, BareItem>()
    this.#spaces()
    while (this.#at < this.#text.length) {
      const key = this.#key()
      const value = this.#takes('=') ? this.#member() : true
      this.#parameters()
      // The last one counts, in its place.
      members.delete(key)
      members.set(key, value)
      this.#whitespace()
      if (this.#at === this.#text.length) break
      if (!this.#takes(',')) throw new Malformed()
      this.#whitespace()
      if (this.#at === this.#text.length) throw new Malformed()
    }
    return members
  }

  list(): BareItem[] {
    const members: BareItem[] = []
    this.#spaces()
    while (this.#at < this.#text.length) {
      members.push(this.#member())
      this.#parameters()
      this.#whitespace()
      if (this.#at === this.#text.length) break
      if (!this.#takes(',')) throw new Malformed()
      this.#whitespace()
      if (this.#at === this.#text.length) throw new Malformed()
    }
    return members
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #takes(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #spaces(): void {
    this.#match(/ */y)
  }

  #whitespace(): void {
    this.#match(/[ \t]*/y)
  }

  #key(): string {
    const key = this.#match(/[a-z*][a-z0-9_.*-]*/y)
    if (key === undefined) throw new Malformed()
    return key
  }

  #member(): BareItem {
    if (!this.#takes('(')) return this.#bare()
    for (;;) {
      this.#spaces()
      if (this.#takes(')')) return { other: true }
      this.#bare()
      this.#parameters()
      if (this.#text[this.#at] !== ' ' && this.#text[this.#at] !== ')') throw new Malformed()
    }
  }

  #parameters(): void {
    while (this.#takes(';')) {
      this.#spaces()
      this.#key()
      if (this.#takes('=')) this.#bare()
    }
  }

  #bare(): BareItem {
    const number = this.#match(/-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y)
    if (number !== undefined) return number.includes('.') ? { decimal: Number(number) } : Number(number)
    const quoted = this.#match(/"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y)
    if (quoted !== undefined) return quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1')
    const truth = this.#match(/\?[01]/y)
    if (truth !== undefined) return truth === '?1'
    const token = this.#match(/[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*/y)
    if (token !== undefined) return { token }
    if (this.#match(/:[A-Za-z0-9+/=]*:/y) !== undefined) return { other: true }
    throw new Malformed()
  }
}
