/** What differs between two configurations, and what applying it would do: read off the declaration, key by key. */
import { unreachable } from '../../kernel/errors.ts'
import type { Config } from '../types.ts'
import { toSettings } from './build.ts'
import { processKeys } from './checks.ts'
import { configType } from './keys.ts'
import { isLeaf, type ChangeKind, type Type } from './schema.ts'
import { joinKey } from './source.ts'
import { availableKeys, canonical, hides, write, type Origins, type Written } from './write.ts'

/** A configuration with what is known about where its values came from. */
export interface Described {
  readonly config: Config
  readonly origins?: Origins
}

export interface ConfigDifference {
  /** `services.web.instances` */
  readonly path: string
  /** As the file would hold it, secrets starred out; undefined: not there. */
  readonly from: unknown
  readonly to: unknown
  readonly kind: ChangeKind
  /** What applying it does, in words: `replaces the instances of web`. */
  readonly effect: string
}

/** Differences in the order of the declaration; empty when both mean the same. */
export function diffConfig(a: Described, b: Described): readonly ConfigDifference[] {
  const moved = Object.keys(a.config.services).filter((name) => {
    const after = b.config.services[name]
    return after !== undefined && after.source.kind !== a.config.services[name]?.source.kind
  })
  // A service that changes from processes to endpoints or back: what one of them does not have is no change of its own.
  const implied = new Set(moved.flatMap((name) => processKeys.map((key) => `services.${name}.${key}`)))
  return [...differences({ from: a.origins, to: b.origins }, configType, toSettings(a.config), toSettings(b.config), '', 'immediate', false)].filter(
    ({ path }) => !implied.has(path),
  )
}

interface Sides {
  readonly from: Origins | undefined
  readonly to: Origins | undefined
}

function* differences(sides: Sides, type: Type, from: unknown, to: unknown, path: string, kind: ChangeKind, secret: boolean): Generator<ConfigDifference> {
  if (isWhole(type, from, to)) {
    const bare = (value: unknown): string => canonical(write(type, value, path, { bare: true }) ?? null)
    if (bare(from) === bare(to)) return
    const shown = (value: unknown, origins: Origins | undefined): Written => write(type, value, path, origins === undefined ? {} : { origins }, secret)
    yield { path, from: shown(from, sides.from), to: shown(to, sides.to), kind, effect: effectOf(kind, path, from, to) }
    return
  }
  const [before, after] = [from, to] as Readonly<Record<string, unknown>>[]
  if (type.kind === 'map') {
    for (const name of new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])) {
      const inner = entryChange(type.of, before?.[name], after?.[name]) ?? kind
      yield* differences(sides, type.value, before?.[name], after?.[name], joinKey(path, name), inner, secret || hides(type.of, name))
    }
  } else if (type.kind === 'object') {
    for (const [name, key] of availableKeys(type.keys)) {
      yield* differences(sides, key.type, before?.[name], after?.[name], joinKey(path, name), key.change ?? kind, secret || key.secret)
    }
  }
}

/** Compared as one value: it has no inside, or one of the two has none. */
function isWhole(type: Type, from: unknown, to: unknown): boolean {
  return isLeaf(type) || typeof from !== 'object' || typeof to !== 'object'
}

function entryChange(of: string, from: unknown, to: unknown): ChangeKind | undefined {
  if (of !== 'service') return undefined
  return from === undefined ? 'addService' : to === undefined ? 'removeService' : undefined
}

function effectOf(kind: ChangeKind, path: string, from: unknown, to: unknown): string {
  const service = path.split('.')[1] ?? ''
  switch (kind) {
    case 'addService':
      return `adds ${service}`
    case 'removeService':
      return `drains and stops ${service}`
    case 'replaceInstances':
      if (path.endsWith('.command') && from === undefined) return `starts instances of ${service}`
      return path.endsWith('.command') && to === undefined ? `stops the instances of ${service}` : `replaces the instances of ${service}`
    case 'scale':
      return `scales ${service}`
    case 'routing':
      return 'changes routing only'
    case 'probing':
      return `changes how ${service} is probed`
    case 'supervision':
      return `changes how ${service} is supervised; running instances stay`
    case 'startOrder':
      return 'changes the order of starting only'
    case 'listening':
      return 'opens and closes listening sockets'
    case 'immediate':
      return 'takes effect at once'
    case 'restartHoldfast':
      return 'needs a restart of holdfast'
    default:
      return unreachable(kind)
  }
}
