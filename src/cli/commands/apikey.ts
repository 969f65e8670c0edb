import type { ApiKeyDescription } from '../client.ts'
import { defineCommand, optional, required, text } from '../command.ts'
import { usageError } from '../errors.ts'
import { duration, oneOf } from '../readers.ts'
import { printable } from '../style.ts'
import { renderTable, type Column } from '../table.ts'

export const apikeyCreate = defineCommand({
  name: 'apikey create',
  summary: 'make an API key for a program',
  description:
    'The key alone goes to stdout, so that it can be captured; only its hash is kept, and it cannot be shown again. It needs the role admin.',
  options: {
    role: optional('--role <role>', 'viewer reads; operator also acts; admin also configures', oneOf('viewer', 'operator', 'admin')),
    name: optional('--name <name>', 'what it is for: the actor in events', text),
    ttl: optional('--ttl <duration>', 'how long it is good for at most 365d (default: 90d)', duration),
  },
  examples: ['holdfast apikey create --role operator --name ci', 'holdfast apikey create --role viewer --name grafana --ttl 90d'],
  async run(context, { role, name, ttl }) {
    if (role === undefined) throw usageError('--role is missing', 'give --role viewer, operator or admin')
    if (name === undefined) throw usageError('--name is missing', 'say what the key is for, as in: --name ci')
    const api = await context.connect()
    const created = await api.createApiKey(name, role, ttl)
    context.out.note(`API key ${created.id} (${created.name}) with the role ${created.role}; revoke it with: holdfast apikey revoke ${created.id}`)
    return { data: created, text: created.key }
  },
})

const columns: readonly Column[] = [
  { title: 'ID' },
  { title: 'NAME', shrinkTo: 8 },
  { title: 'ROLE' },
  { title: 'CREATED (UTC)' },
  { title: 'EXPIRES (UTC)' },
  { title: 'LAST USED' },
]

export const apikeyList = defineCommand({
  name: 'apikey list',
  summary: 'the API keys there are; never the keys themselves',
  examples: ['holdfast apikey list'],
  async run(context) {
    const api = await context.connect()
    const keys = await api.apiKeys()
    const { out } = context
    const text = keys.length === 0 ? 'no API keys' : renderTable(columns, keys.map(cellsOf), out.columns, (title) => out.paint('dim', title))
    return { data: keys, text }
  },
})

function cellsOf(key: ApiKeyDescription): readonly string[] {
  const used = key.lastUsedAt === null ? 'never' : minuteOf(key.lastUsedAt)
  return [key.id, printable(key.name, false), key.role, minuteOf(key.createdAt), minuteOf(key.expiresAt), used]
}

/** `2026-11-21T08:12:03.000Z` as `2026-11-21 08:12`, UTC. */
function minuteOf(time: string): string {
  return time.slice(0, 16).replace('T', ' ')
}

export const apikeyRevoke = defineCommand({
  name: 'apikey revoke',
  summary: 'make an API key worthless, at once',
  arguments: { id: required('<id>', 'the id that `holdfast apikey list` shows', text) },
  examples: ['holdfast apikey revoke 7h2k9q'],
  async run(context, { id }) {
    const api = await context.connect()
    await api.revokeApiKey(id)
    return { data: { id, revoked: true }, text: `revoked API key ${id}` }
  },
})
