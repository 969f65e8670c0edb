/**
 * Environment variables that override the file. Each is laid over the source tree as a leaf of its own, so that it is
 * checked, defaulted and explained exactly as if it stood in the file. Set but empty counts as not set.
 */
import { boolean } from './scalars.ts'
import { problemAt, type Problem } from './problem.ts'
import { redisVariables, urlWith } from './redis-environment.ts'
import { isNothing, type MapNode, type Place, type ScalarNode, type SourceNode } from './source.ts'

export type Environment = Readonly<Record<string, string | undefined>>

interface Override {
  readonly name: string
  readonly doc: string
  /** The key it overrides; undefined: it changes no value. */
  readonly path?: readonly [string, string]
  /** Items are separated by commas. */
  readonly list?: boolean
  readonly secret?: boolean
}

const redis = 'in the URL of `cache.redis`; changes nothing where that has `cluster` or `sentinel`'

export const overrides: readonly Override[] = [
  { name: 'PORT', path: ['api', 'port'], doc: 'overrides `api.port`' },
  { name: 'HOST', path: ['api', 'host'], doc: 'overrides `api.host`' },
  { name: 'LOG_LEVEL', path: ['log', 'level'], doc: 'overrides `log.level`' },
  { name: 'JWT_SECRET', path: ['access', 'jwtSecret'], secret: true, doc: 'overrides `access.jwtSecret`' },
  { name: 'CORS_ORIGIN', path: ['api', 'corsOrigins'], list: true, doc: 'overrides `api.corsOrigins`: origins separated by commas' },
  { name: 'PROMETHEUS_ENABLED', doc: '`false` closes the metrics port; `true` opens it, on 9090 unless another is given' },
  { name: 'PROMETHEUS_PORT', path: ['metrics', 'port'], doc: 'overrides `metrics.port`' },
  { name: 'NODE_ENV', doc: 'changes no value' },
  { name: 'REDIS_HOST', doc: `the host ${redis}` },
  { name: 'REDIS_PORT', doc: `the port ${redis}` },
  { name: 'REDIS_PASSWORD', secret: true, doc: `the password ${redis}` },
]

/** Where Prometheus looks by habit. */
const prometheusPort = '9090'

/** A variable that is set, known, and overrides no value. */
export interface EnvironmentNote {
  readonly name: string
  /** `***` for a secret. */
  readonly value: string
  readonly meaning: string
}

export interface Overlaid {
  readonly root: SourceNode
  readonly notes: readonly EnvironmentNote[]
  readonly problems: readonly Problem[]
}

export function overlay(file: SourceNode, environment: Environment): Overlaid {
  let root = file
  const notes: EnvironmentNote[] = []
  for (const { name, path, list, secret, doc } of overrides) {
    const value = environment[name]
    if (value === undefined || value === '') continue
    const place: Place = { kind: 'environment', name }
    if (path !== undefined) root = set(root, path, list ? commaList(value, place) : scalar(value, place))
    else if (!isRedis(name)) notes.push({ name, value: secret ? '***' : value, meaning: doc })
  }
  const redis = withRedis(root, environment)
  return { ...prometheus(redis.root, environment), notes: [...notes, ...redis.notes] }
}

const isRedis = (name: string): boolean => redisVariables.some((variable) => variable === name)

function withRedis(root: SourceNode, environment: Environment): { root: SourceNode; notes: readonly EnvironmentNote[] } {
  const given = redisVariables.filter((name) => (environment[name] ?? '') !== '')
  const [first] = given
  if (first === undefined) return { root, notes: [] }
  const inFile = (key: string): SourceNode | undefined => at(root, ['cache', 'redis', key])
  const elsewhere = (['cluster', 'sentinel'] as const).find((key) => inFile(key) !== undefined)
  const file = inFile('url')
  const url = elsewhere === undefined ? urlWith(Object.fromEntries(given.map((name) => [name, environment[name]])), file?.kind === 'scalar' ? file.text : undefined) : undefined
  if (url !== undefined) {
    const place: Place = { kind: 'environment', name: first }
    return { root: set(root, ['cache', 'redis', 'url'], { kind: 'scalar', text: url, plain: false, place }), notes: [] }
  }
  const meaning = elsewhere === undefined ? 'changes no value: neither REDIS_HOST nor cache.redis.url says where Redis is' : `changes no value: cache.redis has ${elsewhere}`
  return { root, notes: given.map((name) => ({ name, value: name === 'REDIS_PASSWORD' ? '***' : (environment[name] ?? ''), meaning })) }
}

function prometheus(root: SourceNode, environment: Environment): { root: SourceNode; problems: readonly Problem[] } {
  const text = environment.PROMETHEUS_ENABLED ?? ''
  if (text === '') return { root, problems: [] }
  const place: Place = { kind: 'environment', name: 'PROMETHEUS_ENABLED' }
  const enabled = boolean.read(text)
  if (enabled === undefined) {
    return { root, problems: [problemAt(place, 'metrics.port', { expected: boolean.expected, found: text, hint: boolean.hint?.(text) })] }
  }
  if (!enabled) return { root: set(root, ['metrics', 'port'], scalar('off', place)), problems: [] }
  const given = at(root, ['metrics', 'port'])
  const isOn = given !== undefined && !(given.kind === 'scalar' && given.text === 'off')
  return { root: isOn ? root : set(root, ['metrics', 'port'], scalar(prometheusPort, place)), problems: [] }
}

/** A value of the environment is taken as it is: `$${` undoes what would be filled in. */
function scalar(text: string, place: Place): ScalarNode {
  return { kind: 'scalar', text: text.trim().replaceAll('${', () => '$${'), plain: false, place }
}

function commaList(text: string, place: Place): SourceNode {
  const items = text.split(',').map((item) => item.trim())
  return { kind: 'list', items: items.filter((item) => item !== '').map((item) => scalar(item, place)), place }
}

function at(root: SourceNode, path: readonly string[]): SourceNode | undefined {
  let node: SourceNode | undefined = root
  for (const key of path) node = node === undefined ? undefined : entry(node, key)
  return node
}

function entry(node: SourceNode, key: string): SourceNode | undefined {
  return node.kind === 'map' ? node.entries.find((entry) => entry.key === key)?.value : undefined
}

/** A copy with one leaf put in. Where the file has something else than a map, it stays: it is a problem of its own. */
function set(node: SourceNode, [key, ...rest]: readonly string[], leaf: SourceNode): SourceNode {
  if (key === undefined) return leaf
  const group = entry(node, key)
  const inner = group === undefined || isNothing(group) ? emptyMap(leaf.place) : group
  return withEntry(node, key, set(inner, rest, leaf))
}

function withEntry(node: SourceNode, key: string, value: SourceNode): SourceNode {
  if (node.kind !== 'map') return node
  const kept = node.entries.filter((entry) => entry.key !== key)
  const keyPlace = node.entries.find((entry) => entry.key === key)?.keyPlace ?? value.place
  return { ...node, entries: [...kept, { key, keyPlace, value }] }
}

function emptyMap(place: Place): MapNode {
  return { kind: 'map', entries: [], place }
}
