/** Types out of the schemas of the OpenAPI document: as much of JSON Schema as our answers use, and an error for what is more. */
import { format, resolveConfig } from 'prettier'
import { buildApi } from '../app.ts'
import { harness } from './harness.ts'

interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | boolean
  readonly description?: string
  readonly nullable?: boolean
}

/** Of these and of all that they are made of. */
const told = [
  'Alert',
  'AlertCoverage',
  'AlertExplanation',
  'AlertPrecision',
  'AlertRule',
  'Backtest',
  'CacheStats',
  'Cause',
  'Check',
  'CheckDetail',
  'DeadLetter',
  'Dependencies',
  'Impact',
  'Incident',
  'IncidentDetail',
  'Policy',
  'Profile',
  'ScalingEvent',
  'Silence',
]

const header = `/** What the API answers. Written by scripts/api-types.ts out of the OpenAPI document: change the schemas, then run it. */\n\n`

export async function answerTypes(): Promise<string> {
  const app = buildApi((await harness()).deps)
  const { body } = await app.inject({ url: '/api/docs/openapi.json' })
  await app.close()
  const { components } = JSON.parse(body) as { components: { schemas: Readonly<Record<string, Schema>> } }
  const names = new Set(told)
  const written = new Map<string, string>()
  for (const name of names) {
    const schema = components.schemas[name]
    if (!schema) throw new Error(`the document has no schema ${name}: it has ${Object.keys(components.schemas).join(', ')}`)
    written.set(
      name,
      typeOf(schema, (needed) => names.add(needed)),
    )
  }
  const text = [...written].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, type]) => `export interface ${name} ${type}\n`)
  const file = new URL('../types.ts', import.meta.url).pathname
  return format(header + text.join('\n'), { ...(await resolveConfig(file)), parser: 'typescript' })
}

function typeOf(schema: Schema, need: (name: string) => void): string {
  const inner = (one: Schema): string => typeOf(one, need)
  const { $ref, type, enum: values, anyOf, oneOf, allOf, items } = schema
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? ''
    need(name)
    return name
  }
  if ('const' in schema) return JSON.stringify(schema.const)
  if (values) return values.map((value) => JSON.stringify(value)).join(' | ')
  const either = anyOf ?? oneOf
  if (either) return `(${either.map(inner).join(' | ')})`
  if (allOf) return `(${allOf.map(inner).join(' & ')})`
  if (typeof type === 'object') return `(${type.map((one) => inner({ ...schema, type: one })).join(' | ')})`
  switch (type) {
    case 'object':
      return objectOf(schema, inner)
    case 'array':
      return schema.prefixItems ? `readonly [${schema.prefixItems.map(inner).join(', ')}]` : `readonly (${items ? inner(items) : 'unknown'})[]`
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
    case 'boolean':
    case 'null':
      return type
    case undefined:
      return 'unknown'
    default:
      throw new Error(`no type for ${JSON.stringify(schema)}`)
  }
}

function objectOf({ properties, required = [], additionalProperties }: Schema, inner: (one: Schema) => string): string {
  if (!properties) return `Readonly<Record<string, ${typeof additionalProperties === 'object' ? inner(additionalProperties) : 'unknown'}>>`
  const fields = Object.entries(properties).map(([name, one]) => {
    const said = one.description === undefined ? '' : `/** ${one.description.replaceAll('*/', '*')} */\n`
    return `${said}readonly ${JSON.stringify(name)}${required.includes(name) ? '' : '?'}: ${inner(one)}\n`
  })
  return `{\n${fields.join('')}}`
}
