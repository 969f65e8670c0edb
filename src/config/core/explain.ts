/** Each effective value and where it came from. */
import { toSettings } from './build.ts'
import type { Described } from './diff.ts'
import type { EnvironmentNote } from './environment.ts'
import { configType } from './keys.ts'
import { isLeaf, type Type } from './schema.ts'
import { joinKey, placeText } from './source.ts'
import { availableKeys, hides, write, type Origins, type Written } from './write.ts'

export interface Explanation {
  /** `services.web.port`; for a variable that overrides nothing, its name. */
  readonly path: string
  /** As the file would hold it, secrets starred out; null: none. */
  readonly value: Written | null
  readonly source: 'default' | 'file' | 'environment'
  /** `default`, `holdfast.yml:7:5`, `holdfast.yml:7:5 (${PORT})`, `environment PORT`, or what a variable without effect means. */
  readonly where: string
}

/** Everything, in the order of the declaration; then the variables that are set and change nothing. */
export function explainConfig({ config, origins = new Map(), notes = [] }: Described & { readonly notes?: readonly EnvironmentNote[] }): readonly Explanation[] {
  return [
    ...explanations(configType, toSettings(config), '', origins, false),
    ...notes.map(({ name, value, meaning }) => ({ path: name, value, source: 'environment' as const, where: meaning })),
  ]
}

function* explanations(type: Type, value: unknown, path: string, origins: Origins, secret: boolean): Generator<Explanation> {
  if (isLeaf(type) || typeof value !== 'object') {
    yield { path, value: write(type, value, path, { origins }, secret) ?? null, ...source(path, origins) }
    return
  }
  const values = value as Readonly<Record<string, unknown>>
  if (type.kind === 'map') {
    for (const [name, inner] of Object.entries(values)) yield* explanations(type.value, inner, joinKey(path, name), origins, secret || hides(type.of, name))
  } else if (type.kind === 'object') {
    for (const [name, key] of availableKeys(type.keys)) {
      if (!meansNothing(path, name, values)) yield* explanations(key.type, values[name], joinKey(path, name), origins, secret || key.secret)
    }
  }
}

/** A hole where there is neither a value nor a default: `command` of a service made of endpoints, and the other way round. */
function meansNothing(path: string, name: string, values: Readonly<Record<string, unknown>>): boolean {
  if (!/^services\.[^.]+$/.test(path) || values[name] !== undefined) return false
  return name !== 'version' && name !== 'health'
}

function source(path: string, origins: Origins): Pick<Explanation, 'source' | 'where'> {
  const origin = origins.get(path)
  if (origin === undefined) return { source: 'default', where: 'default' }
  // A default of a secret is as secret as the secret.
  const shown = origin.references.map((reference) => (origin.secret ? reference.replace(/:-.*\}$/s, ':-…}') : reference))
  const references = shown.length === 0 ? '' : ` (${shown.join(', ')})`
  return { source: origin.place.kind, where: `${placeText(origin.place)}${references}` }
}
