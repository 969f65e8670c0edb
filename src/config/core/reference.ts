/** The reference page of the configuration, made from its declaration. */
import { unreachable } from '../../kernel/errors.ts'
import { overrides } from './environment.ts'
import { configType } from './keys.ts'
import type { Key, Keys, PlannedKey, Type } from './schema.ts'
import { joinKey } from './source.ts'
import { write } from './write.ts'

interface Row {
  readonly path: string
  readonly type: string
  readonly default: string
  readonly doc: string
}

/** Markdown: one table of keys for each part, one of what is planned, one of environment variables. */
export function configReference(): string {
  const { keys } = configType
  const top = Object.entries(keys).filter((entry): entry is [string, Key] => entry[1].kind === 'key' && isNested(entry[1].type))
  const scalars = Object.fromEntries(Object.entries(keys).filter(([, one]) => one.kind === 'key' && !isNested(one.type)))
  return [
    '### Top level\n',
    table([...rows(scalars, '', [])]),
    ...top.flatMap(([name, one]) => section(name, one)),
    '\n### Not available yet\n',
    'These keys are known and refused by name.\n',
    plannedTable([...plannedKeys(keys, '')]),
    '\n### Environment variables\n',
    '| variable | meaning |\n|---|---|',
    ...overrides.map(({ name, doc }) => `| \`${name}\` | ${cell(doc)} |`),
  ].join('\n')
}

/** A map's keys are listed below its entries: `services.<name>`. */
function section(name: string, one: Key): string[] {
  const path = one.type.kind === 'map' ? `${name}.<name>` : name
  const inner = one.type.kind === 'map' ? one.type.value : one.type
  const intro = one.defaultDoc === undefined ? one.doc : `${one.doc} Default: ${one.defaultDoc}.`
  return [`\n### \`${path}\`\n`, `${intro}\n`, table([...nestedRows(inner, '', [])])]
}

function isNested(type: Type): boolean {
  return type.kind === 'object' || type.kind === 'map'
}

/** `around`: the types that it is inside of; one that is inside itself is listed once. */
function* rows(keys: Keys, path: string, around: readonly Type[]): Generator<Row> {
  for (const [name, one] of Object.entries(keys)) {
    if (one.kind === 'planned') continue
    const here = joinKey(path, name)
    yield { path: here, type: typeText(one.type), default: defaultText(one), doc: one.doc }
    yield* nestedRows(one.type, here, around)
  }
}

function* nestedRows(type: Type, path: string, around: readonly Type[]): Generator<Row> {
  if (around.includes(type)) return
  switch (type.kind) {
    case 'scalar':
      return
    case 'list':
      yield* nestedRows(type.item, `${path}[]`, around)
      return
    case 'map':
      yield* nestedRows(type.value, `${path}.<name>`, around)
      return
    case 'object':
      yield* rows(type.keys, path, [...around, type])
      return
    default:
      unreachable(type)
  }
}

function typeText(type: Type): string {
  switch (type.kind) {
    case 'scalar':
      return type.name
    case 'list':
      return `list of ${typeText(type.item)}`
    case 'map':
      return 'map'
    case 'object': {
      const [short] = type.short
      const inner = short === undefined ? undefined : type.keys[short]
      return ['map', ...(inner?.kind === 'key' ? [typeText(inner.type)] : []), ...(type.on ? ['`on`'] : []), ...(type.off ? ['`off`'] : [])].join(' or ')
    }
  }
}

function defaultText(one: Key): string {
  if (one.defaultDoc !== undefined) return one.defaultDoc
  if (one.default !== undefined) {
    const written = write(one.type, one.default, '', { bare: true })
    return `\`${typeof written === 'object' ? JSON.stringify(written) : String(written)}\``
  }
  return one.type.kind === 'object' ? '' : '**required**'
}

function table(all: readonly Row[]): string {
  const lines = all.map((row) => `| \`${row.path}\` | ${cell(row.type)} | ${cell(row.default)} | ${cell(row.doc)} |`)
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n')
}

function* plannedKeys(keys: Keys, path: string, around: readonly Type[] = []): Generator<[string, PlannedKey]> {
  for (const [name, one] of Object.entries(keys)) {
    const here = joinKey(path, name)
    if (one.kind === 'planned') yield [here, one]
    else yield* plannedInside(one.type, here, around)
  }
}

function plannedInside(type: Type, path: string, around: readonly Type[]): Iterable<[string, PlannedKey]> {
  if (around.includes(type)) return []
  if (type.kind === 'object') return plannedKeys(type.keys, path, [...around, type])
  if (type.kind === 'map') return plannedInside(type.value, `${path}.<name>`, around)
  return type.kind === 'list' ? plannedInside(type.item, `${path}[]`, around) : []
}

function plannedTable(all: readonly (readonly [string, PlannedKey])[]): string {
  return ['| key | meaning |', '|---|---|', ...all.map(([path, { doc }]) => `| \`${path}\` | ${cell(doc)} |`)].join('\n')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
