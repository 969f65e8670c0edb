import { defineCommand, optional, text } from '../command.ts'
import { usageError } from '../errors.ts'
import { duration, oneOf } from '../readers.ts'

export const tokenCreate = defineCommand({
  name: 'token create',
  summary: 'make a token (JWT) for the API or the CLI elsewhere',
  description: 'The token alone goes to stdout, so that it can be captured; it is kept nowhere and cannot be shown again. It needs the role admin.',
  options: {
    role: optional('--role <role>', 'viewer reads; operator also acts; admin also configures', oneOf('viewer', 'operator', 'admin')),
    ttl: optional('--ttl <duration>', 'how long it is good for, at most 24h (default: 1h)', duration),
    subject: optional('--subject <name>', 'whose it is: the actor in events', text),
  },
  examples: ['holdfast token create --role viewer', 'export HOLDFAST_TOKEN=$(holdfast token create --role operator --ttl 8h)'],
  async run(context, { role, ttl, subject }) {
    if (role === undefined) throw usageError('--role is missing', 'give --role viewer, operator or admin')
    const api = await context.connect()
    const minted = await api.createToken(role, ttl, subject)
    context.out.note(`a token with the role ${minted.role}, good until ${minted.expiresAt}`)
    return { data: minted, text: minted.token }
  },
})
