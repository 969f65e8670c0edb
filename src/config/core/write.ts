/** Settings as the file would hold them: durations with units, short forms, secrets starred out. The way back from `interpret`. */
import { secretName, type Origin } from './interpret.ts'
import type { Key, Keys, ObjectType, Plain, Type } from './schema.ts'
import { joinIndex, joinKey } from './source.ts'
import { starred, withoutPasswords } from './words.ts'

export type Written = Plain | readonly Written[] | WrittenMap | undefined
export interface WrittenMap {
  readonly [name: string]: Written
}

/** Which values are secret: by their key, by the name of their variable, or by where they came from. */
export type Origins = ReadonlyMap<string, Origin>

export interface WriteOptions {
  readonly origins?: Origins
  /** Compare, do not show: secrets as they are. */
  readonly bare?: boolean
}

export function write(type: Type, value: unknown, path: string, options: WriteOptions, secret = false): Written {
  if (value === undefined) return undefined
  const isSecret = secret || options.origins?.get(path)?.secret === true
  switch (type.kind) {
    case 'scalar':
      return options.bare ? type.write(value) : isSecret ? starred : plainly(type.write(value))
    case 'list':
      return (value as unknown[]).map((item, index) => write(type.item, item, joinIndex(path, index), options, isSecret))
    case 'map':
      return record(Object.entries(value as object).map(([name, item]) => [name, write(type.value, item, joinKey(path, name), options, isSecret || hides(type.of, name))]))
    case 'object':
      return value === 'off' ? 'off' : writeObject(type, value as Readonly<Record<string, unknown>>, path, options, isSecret)
  }
}

function plainly(value: Plain): Plain {
  return typeof value === 'string' ? withoutPasswords(value) : value
}

/** Whether the name of an entry tells that its value is secret. */
export function hides(of: string, name: string): boolean {
  return of === 'variable' && secretName.test(name)
}

export function availableKeys(keys: Keys): [string, Key][] {
  return Object.entries(keys).filter((entry): entry is [string, Key] => entry[1].kind === 'key')
}

function writeObject(type: ObjectType, value: Readonly<Record<string, unknown>>, path: string, options: WriteOptions, secret: boolean): Written {
  const keys = availableKeys(type.keys)
  const written = record(keys.map(([name, key]) => [name, write(key.type, value[name], joinKey(path, name), options, secret || key.secret)]))
  if (!type.compact) return written
  const short = type.short.map((name) => written[name])
  const saysItAll = keys.every(([name, key]) => type.short.includes(name) || value[name] === key.default)
  return saysItAll && short.every((one) => one === short[0]) ? short[0] : written
}

function record(entries: readonly (readonly [string, Written])[]): WrittenMap {
  const made = Object.create(null) as Record<string, Written>
  for (const [name, value] of entries) if (value !== undefined) made[name] = value
  return made
}

/** The same text for the same value, whatever the order of its keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
