/**
 * The language in which the configuration is declared. Each key states once what it is: its type, its default, its
 * sentence for the docs, what changing it does, whether it is secret, and whether it is there yet. Parsing, messages,
 * defaults, `config explain`, `config diff` and the reference page are all read off that one declaration.
 *
 * The road not taken: a schema library. It knows values, not places: no line and column, no "where did this come
 * from", no key that is known but not there yet.
 */
import { either } from './words.ts'

/** What stands in a file without braces. */
export type Plain = string | number | boolean

/** One value, written as text. */
export interface Scalar<T = unknown> {
  readonly kind: 'scalar'
  /** Completes "expected …": `a duration such as 10s`. */
  readonly expected: string
  /** For the column "type" of the reference. */
  readonly name: string
  /** undefined: not understood. */
  read(text: string): T | undefined
  write(value: T): Plain
  /** What was probably meant by a text that was not understood. */
  hint?(text: string): string | undefined
  /** What is wrong in it and where, from 0; for texts that have a language of their own. */
  complaint?(text: string): { readonly message: string; readonly hint?: string | undefined; readonly offset: number; readonly width: number } | undefined
}

/** `V` is the value that comes out; it stands in the type only. */
interface Typed<V> {
  readonly __value?: V
}

export interface ListType<V = unknown> extends Typed<V> {
  readonly kind: 'list'
  readonly item: Type
  /** At least this many. @default 0 */
  readonly min: number
}

/** Names chosen by the user, each with a value of the same type. */
export interface MapType<V = unknown> extends Typed<V> {
  readonly kind: 'map'
  /** Of what: `service`. */
  readonly of: string
  readonly name: Scalar<string>
  readonly value: Type
  readonly min: number
}

export interface ObjectType<V = unknown> extends Typed<V> {
  readonly kind: 'object'
  readonly keys: Keys
  /** A scalar in place of the map stands for the value of each of these keys: `health: /path` is `health: { path: /path }`. */
  readonly short: readonly string[]
  /** Shown and compared as one value, in its short form where that says it all. */
  readonly compact: boolean
  /** `off` or `false` in place of the map. */
  readonly off: boolean
  /** `on` or `true` in place of the map: all keys have their defaults. */
  readonly on: boolean
}

export type Type<V = unknown> = Scalar<V> | ListType<V> | MapType<V> | ObjectType<V>
export type Keys = Readonly<Record<string, Key | PlannedKey>>
/** The value that a type stands for, once parsed. */
export type Value<T> = T extends Type<infer V> ? V : never
export type ObjectValue<K> = { readonly [N in keyof K as K[N] extends PlannedKey ? never : N]: K[N] extends Key<infer V> ? V : never }

/** What applying a change of a key does; the sentence of each is in `diff.ts`. */
export type ChangeKind =
  | 'replaceInstances'
  | 'scale'
  | 'routing'
  | 'probing'
  | 'supervision'
  | 'startOrder'
  | 'listening'
  | 'immediate'
  | 'restartHoldfast'
  | 'addService'
  | 'removeService'

export interface Key<V = unknown> extends Typed<V> {
  readonly kind: 'key'
  readonly type: Type
  readonly doc: string
  /** It may be left out, and then has no value. */
  readonly optional: boolean
  /** The value when left out; undefined: required, unless optional or made of keys that have defaults themselves. */
  readonly default: unknown
  /** For the reference, where the default is not just a value. */
  readonly defaultDoc: string | undefined
  /** What a change does; undefined: as the key around it. */
  readonly change: ChangeKind | undefined
  readonly secret: boolean
}

/** Known, but its part is not built yet: refused by name. */
export interface PlannedKey {
  readonly kind: 'planned'
  readonly doc: string
  /** Completes "not available yet: …". */
  readonly reason: string
}

interface KeyFacts {
  readonly doc: string
  readonly change?: ChangeKind
  readonly secret?: boolean
  readonly defaultDoc?: string
}

/** A key that always has a value: its own, the default, or what the keys inside it have. A scalar without default is required. */
export function key<V>(type: Type<V>, { doc, change, secret = false, defaultDoc, ...rest }: KeyFacts & { readonly default?: NoInfer<V> }): Key<V> {
  return { kind: 'key', type, doc, optional: false, default: rest.default, defaultDoc, change, secret }
}

/** A key that may be left out; `without` says what happens then. */
export function optional<V>(type: Type<V>, { doc, change, secret = false, without }: Omit<KeyFacts, 'defaultDoc'> & { readonly without: string }): Key<V | undefined> {
  return { kind: 'key', type, doc, optional: true, default: undefined, defaultDoc: without, change, secret }
}

export function planned(doc: string, reason: string): PlannedKey {
  return { kind: 'planned', doc, reason }
}

export function list<V>(item: Type<V>, { min = 0 } = {}): ListType<readonly V[]> {
  return { kind: 'list', item, min }
}

export function map<V>(of: string, name: Scalar<string>, value: Type<V>, { min = 0 } = {}): MapType<Readonly<Record<string, V>>> {
  return { kind: 'map', of, name, value, min }
}

export function object<const K extends Keys>(keys: K, { short = [] as readonly string[], compact = false } = {}): ObjectType<ObjectValue<K>> {
  return { kind: 'object', keys, short, compact, off: false, on: false }
}

/** An object that can be switched off by the word `off`, and where `on` is said so by that. */
export function switchable<const K extends Keys>(keys: K, { on = false } = {}): ObjectType<ObjectValue<K> | 'off'> {
  return { kind: 'object', keys, short: [], compact: false, off: true, on }
}

/** Shown, compared and explained as one value. */
export function isLeaf(type: Type): boolean {
  return type.kind === 'scalar' || type.kind === 'list' || (type.kind === 'object' && type.compact)
}

/** Completes "expected …". */
export function expectedOf(type: Type): string {
  switch (type.kind) {
    case 'scalar':
      return type.expected
    case 'list':
      return 'a list'
    case 'map':
      return `a map of ${type.of}s by name`
    case 'object': {
      const [short] = type.short
      const shortKey = short === undefined ? undefined : type.keys[short]
      const names = Object.keys(type.keys).filter((name) => type.keys[name]?.kind === 'key')
      const forms = names.length === 0 ? [] : [`a map with ${either(names.slice(0, 6), 'and')}`]
      if (shortKey?.kind === 'key') forms.unshift(expectedOf(shortKey.type))
      if (type.on) forms.push('"on"')
      if (type.off) forms.push('"off"')
      return either(forms)
    }
  }
}

/** The same with holes where something was wrong. */
export type Draft<T> = T extends string | number | boolean | undefined
  ? T | undefined
  : T extends readonly (infer I)[]
    ? readonly Draft<I>[] | undefined
    : { readonly [N in keyof T]?: Draft<T[N]> } | undefined
