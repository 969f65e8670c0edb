/**
 * Reads source nodes by the schema: values checked and defaults filled in, with the place of everything that was given
 * and every problem there is. Something wrong leaves a hole (undefined) and the reading goes on.
 */
import { expand, type Resolve } from './interpolate.ts'
import { problemAt, type Complaint, type Problem } from './problem.ts'
import { expectedOf, type Draft, type Key, type Keys, type ListType, type MapType, type ObjectType, type Scalar, type Type, type Value } from './schema.ts'
import { isNothing, joinIndex, joinKey, type MapEntry, type MapNode, type Place, type ScalarNode, type SourceNode } from './source.ts'
import { nearest, plainLine, quote } from './words.ts'

/** Where the value of a path came from. */
export interface Origin {
  readonly place: Place
  /** Of the key it was given by; as `place` where there is no key. */
  readonly keyPlace: Place
  /** `${…}` that were filled in, as written. */
  readonly references: readonly string[]
  /** It must not be shown. */
  readonly secret: boolean
}

export const interpretLimits = {
  /** Of one value after filling in; a variable of a process may be 128 KiB. */
  valueMax: 131_072,
  /** Of all values that had something to fill in, together. */
  expandedMax: 4_194_304,
  /** More are not even kept. */
  problemsMax: 1_000,
} as const

/** Names of environment variables whose values are shown to nobody. */
export const secretName = /secret|token|passw|pwd|passphrase|credential|private|key|dsn/i

export interface Interpretation<V> {
  readonly draft: Draft<V>
  readonly origins: ReadonlyMap<string, Origin>
  readonly problems: Problem[]
}

export function interpret<T extends Type>(type: T, root: SourceNode, resolve: Resolve): Interpretation<Value<T>> {
  const interpreter = new Interpreter(resolve)
  const draft = interpreter.read(type, root, { path: '', at: root.place, secret: false }) as Draft<Value<T>>
  return { draft, origins: interpreter.origins, problems: interpreter.problems }
}

/** Where the reading stands. */
interface Spot {
  readonly path: string
  /** What to point at when something is missing here: the key, or the value where there is no key. */
  readonly at: Place
  readonly secret: boolean
}

class Interpreter {
  readonly origins = new Map<string, Origin>()
  readonly problems: Problem[] = []
  readonly #resolve: Resolve
  #expanded = 0

  constructor(resolve: Resolve) {
    this.#resolve = resolve
  }

  read(type: Type, node: SourceNode, spot: Spot): unknown {
    this.origins.set(spot.path, { place: isNothing(node) ? spot.at : node.place, keyPlace: spot.at, references: [], secret: spot.secret })
    switch (type.kind) {
      case 'scalar':
        return this.#scalar(type, node, spot)
      case 'list':
        return this.#list(type, node, spot)
      case 'map':
        return this.#map(type, node, spot)
      case 'object':
        return this.#object(type, node, spot)
    }
  }

  #scalar(type: Scalar, node: SourceNode, spot: Spot): unknown {
    if (node.kind !== 'scalar' || isNothing(node)) {
      this.#mismatch(type, node, spot)
      return undefined
    }
    const text = this.#expand(node, spot)
    if (text === undefined) return undefined
    const value = type.read(text)
    if (value === undefined) {
      const secret = this.origins.get(spot.path)?.secret ?? spot.secret
      const inside = secret ? undefined : type.complaint?.(text)
      if (inside === undefined) this.#complain(node.place, spot.path, { expected: type.expected, found: text, hint: type.hint?.(text), secret })
      else this.#complain(placeInside(node, text, inside), spot.path, { message: inside.message, hint: inside.hint, expected: type.expected })
    }
    return value
  }

  #expand(node: ScalarNode, spot: Spot): string | undefined {
    if (!node.text.includes('${')) return node.text
    const result = expand(node.text, this.#resolve, interpretLimits.valueMax)
    if ('problem' in result) {
      this.#complain(node.place, spot.path, { message: result.problem, hint: result.hint })
      return undefined
    }
    this.#expanded += result.text.length
    if (this.#expanded > interpretLimits.expandedMax) {
      this.#complain(node.place, spot.path, { message: `the values filled in are longer than ${interpretLimits.expandedMax} characters in all` })
      return undefined
    }
    this.origins.set(spot.path, { place: node.place, keyPlace: spot.at, references: result.references, secret: spot.secret || result.secret })
    return result.text
  }

  #list(type: ListType, node: SourceNode, spot: Spot): unknown {
    if (isNothing(node) && type.min === 0) return []
    if (node.kind !== 'list') {
      this.#mismatch(type, node, spot, node.kind === 'scalar' && !isNothing(node) ? `write it as a list: [${plainLine(node.text, 60)}]` : undefined)
      return undefined
    }
    if (node.items.length < type.min) {
      this.#complain(node.place, spot.path, { message: `expected at least ${type.min} item${type.min === 1 ? '' : 's'}, found none`, hint: 'leave the key out' })
    }
    return node.items.map((item, index) => this.read(type.item, item, { path: joinIndex(spot.path, index), at: item.place, secret: spot.secret }))
  }

  #map(type: MapType, node: SourceNode, spot: Spot): unknown {
    if (isNothing(node) && type.min === 0) return emptyRecord()
    if (node.kind !== 'map') {
      this.#mismatch(type, node, spot)
      return undefined
    }
    if (node.entries.length < type.min) {
      this.#complain(node.place, spot.path, { message: `expected at least ${type.min} ${type.of}, found none`, hint: 'leave the key out for its default' })
    }
    const values = emptyRecord()
    for (const { key, keyPlace, value } of node.entries) {
      const path = joinKey(spot.path, shownKey(key))
      if (type.name.read(key) === undefined) this.#complain(keyPlace, path, { message: `expected ${type.name.expected}, found ${quote(key)}` })
      else values[key] = this.read(type.value, value, { path, at: keyPlace, secret: spot.secret || (type.of === 'variable' && secretName.test(key)) })
    }
    return values
  }

  #object(type: ObjectType, node: SourceNode, spot: Spot): unknown {
    if (node.kind === 'map') return this.#keys(type.keys, node, spot)
    if (isNothing(node) || (type.on && node.kind === 'scalar' && (node.text === 'on' || node.text === 'true')))
      return this.#keys(type.keys, { kind: 'map', entries: [], place: node.place }, spot)
    if (type.off && node.kind === 'scalar' && (node.text === 'off' || node.text === 'false')) return 'off'
    if (node.kind === 'scalar' && type.short.length > 0) return this.#short(type, node, spot)
    this.#mismatch(type, node, spot)
    return undefined
  }

  /** `health: /path`: reads the scalar as the value of the short keys, and complains about it once, under the path that was written. */
  #short(type: ObjectType, node: ScalarNode, spot: Spot): unknown {
    const entries = type.short.map((key): MapEntry => ({ key, keyPlace: node.place, value: node }))
    const before = this.problems.length
    const value = this.#keys(type.keys, { kind: 'map', entries, place: node.place }, spot)
    const [first] = this.problems.splice(before)
    if (first !== undefined) this.problems.push({ ...first, path: spot.path })
    return value
  }

  #keys(keys: Keys, node: MapNode, spot: Spot): Record<string, unknown> {
    const entries = new Map(node.entries.map((entry) => [entry.key, entry]))
    for (const { key, keyPlace } of node.entries) if (!Object.hasOwn(keys, key)) this.#unknownKey(keys, key, keyPlace, spot)
    const values: Record<string, unknown> = {}
    for (const [name, declared] of Object.entries(keys)) {
      const path = joinKey(spot.path, name)
      const entry = entries.get(name)
      if (declared.kind === 'planned') {
        if (entry !== undefined) this.#planned(declared.reason, path, entry)
      } else {
        const at = entry?.keyPlace ?? spot.at
        values[name] = this.#key(declared, entry, { path, at, secret: spot.secret || declared.secret })
      }
    }
    return values
  }

  #key(declared: Key, entry: MapEntry | undefined, spot: Spot): unknown {
    const { type } = declared
    if (entry !== undefined && !(declared.optional && type.kind !== 'scalar' && isNothing(entry.value))) return this.read(type, entry.value, spot)
    if (declared.default !== undefined || declared.optional) return declared.default
    if (type.kind === 'object') return this.#keys(type.keys, { kind: 'map', entries: [], place: spot.at }, spot)
    if (!this.origins.has(spot.path)) this.#complain(spot.at, spot.path, { message: 'is missing', expected: expectedOf(type), hint: `give it ${expectedOf(type)}` })
    return undefined
  }

  #planned(reason: string, path: string, { keyPlace, value }: MapEntry): void {
    this.origins.set(path, { place: value.place, keyPlace, references: [], secret: false })
    this.#complain(keyPlace, path, { message: `not available yet: ${reason}` })
  }

  #unknownKey(keys: Keys, key: string, place: Place, spot: Spot): void {
    const near = nearest(key, Object.keys(keys))
    const hint = near === undefined ? knownKeys(keys) : `did you mean "${near}"?`
    this.#complain(place, joinKey(spot.path, shownKey(key)), { message: 'unknown key', found: key, hint })
    // What was misspelt counts as given, so that nobody complains of its absence, too.
    if (near !== undefined) this.origins.set(joinKey(spot.path, near), { place, keyPlace: place, references: [], secret: false })
  }

  #mismatch(type: Type, node: SourceNode, spot: Spot, hint?: string): void {
    const expected = expectedOf(type)
    if (node.kind === 'scalar' && !isNothing(node)) this.#complain(node.place, spot.path, { expected, found: node.text, hint, secret: spot.secret })
    else {
      const found = node.kind === 'scalar' ? 'nothing' : `a ${node.kind}`
      this.#complain(isNothing(node) ? spot.at : node.place, spot.path, { message: `expected ${expected}, found ${found}`, expected, hint, secret: spot.secret })
    }
  }

  #complain(place: Place, path: string, complaint: Complaint): void {
    if (this.problems.length < interpretLimits.problemsMax) this.problems.push(problemAt(place, path, complaint))
  }
}

/** A part of a text, where it stands in the file as it is: on one line, with or without quotes, nothing filled in. */
function placeInside({ place, text: written }: ScalarNode, text: string, { offset, width }: { readonly offset: number; readonly width: number }): Place {
  if (place.kind !== 'file' || written !== text) return place
  const quotes = (place.width - text.length) / 2
  if (quotes !== 0 && quotes !== 1) return place
  return { ...place, column: place.column + quotes + offset, width: Math.max(1, Math.min(width, text.length - offset)) }
}

/** As it is where it could be a name; anything else quoted and cut. */
function shownKey(key: string): string {
  return /^[\w.-]{1,256}$/.test(key) ? key : quote(key)
}

function knownKeys(keys: Keys): string | undefined {
  const names = Object.keys(keys).filter((name) => keys[name]?.kind === 'key')
  return names.length === 0 ? undefined : `known here: ${names.join(', ')}`
}

/** Without a prototype: a service may be called `constructor`, and asking for one that is not there gives undefined. */
function emptyRecord(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>
}
