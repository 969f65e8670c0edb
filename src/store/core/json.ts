/**
 * Values are JSON and come back as they went in. `JSON.stringify` alone would turn NaN into null, a Map into
 * {}, and drop functions without a word; a store that loses data silently is worse than one that refuses.
 * One loss is allowed because it cannot be seen afterwards: a property that is `undefined` is left out.
 */
import { storeLimits } from '../port.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import { invalid, shown, utf8Length } from './keys.ts'

/** How deep a value may nest; deeper is a circle or a mistake. */
export const valueDepthMax = 64

/** The JSON text of `value`, and its bytes. Throws `store_invalid` or `store_limit`. */
export function toJson(key: string, value: unknown): { json: string; bytes: number } {
  const problem = findProblem(value, '', 0)
  if (problem) throw invalid(`the value of ${shown(key)} is not JSON: ${problem}`)
  const json = JSON.stringify(value)
  const bytes = utf8Length(json, storeLimits.valueBytesMax)
  if (bytes <= storeLimits.valueBytesMax) return { json, bytes }
  throw new HoldfastError('store_limit', `a value may have ${storeLimits.valueBytesMax} bytes of JSON: that of ${shown(key)} has at least ${bytes}`)
}

function findProblem(value: unknown, path: string, depth: number): string | undefined {
  if (depth > valueDepthMax) return `it is nested deeper than ${valueDepthMax} levels, or in a circle`
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : `${at(path)} is ${value}`
    case 'object':
      return value === null ? undefined : findProblemInside(value, path, depth)
    case 'undefined':
    case 'function':
    case 'bigint':
    case 'symbol':
      return `${at(path)} is of type ${typeof value}`
  }
}

function findProblemInside(value: object, path: string, depth: number): string | undefined {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = findProblem(value[i], `${path}[${i}]`, depth + 1)
      if (problem) return problem
    }
    return undefined
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return `${at(path)} is a ${value.constructor.name}, not a plain object`
  for (const [name, inner] of Object.entries(value)) {
    const problem = inner === undefined ? undefined : findProblem(inner, path ? `${path}.${name}` : name, depth + 1)
    if (problem) return problem
  }
  return undefined
}

const at = (path: string): string => (path ? JSON.stringify(path) : 'it')

/** The value of a JSON text, frozen through and through: who wants to change it makes a copy. */
export function fromJson(json: string): unknown {
  return deepFreeze(JSON.parse(json) as unknown)
}

/** Freezes a tree of plain objects and arrays in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}
