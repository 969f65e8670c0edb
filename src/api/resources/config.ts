/** The configuration: seen without its secrets, checked, replaced, and read again from its file. */
import { z } from 'zod'
import type { ConfigChange } from '../../app/operations.ts'
import { HoldfastError } from '../../kernel/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'

const yamlTypes = ['text/yaml', 'application/yaml', 'application/x-yaml', 'text/x-yaml'] as const

const changesSchema = z.array(
  z.object({
    path: z.string().describe('`services.web.instances`'),
    from: z.unknown(),
    to: z.unknown(),
    effect: z.string().describe('What applying it does.'),
  }),
)

const originSchema = z.object({
  path: z.string(),
  value: z.unknown(),
  source: z.enum(['default', 'file', 'environment']),
  where: z.string().optional(),
})

/** YAML as it stands, or in JSON. */
const textSchema = z.union([z.strictObject({ text: z.string().min(1) }), z.string().min(1)])
const optionalTextSchema = z.union([z.strictObject({ text: z.string().min(1).optional() }), z.string().min(1)]).optional()

const textOf = (body: z.output<typeof optionalTextSchema>): string | undefined => (typeof body === 'object' ? body.text : body)

export function configRoutes({ operations }: ApiDeps): readonly Route[] {
  const etag = (): string => `"${operations.configTag()}"`
  return [
    route({
      method: 'GET',
      path: '/config',
      tag: 'Configuration',
      summary: 'The effective configuration, secrets as ***',
      description: 'The `ETag` field is for `If-Match` of PUT. With `format=explain`: every value and where it came from.',
      permission: 'read:config',
      query: z.strictObject({ format: z.enum(['explain']).optional() }),
      data: z.union([z.array(originSchema), z.unknown()]),
      handler: ({ query, reply }) => {
        reply.header('etag', etag())
        return query.format === 'explain' ? operations.explainConfig() : operations.shownConfig()
      },
    }),
    route({
      method: 'PUT',
      path: '/config',
      tag: 'Configuration',
      summary: 'Replace the configuration and apply it',
      description:
        'Checked whole before anything is touched: a bad one changes nothing. With `If-Match`, 412 when the configuration has changed since.',
      permission: 'manage:config',
      body: textSchema,
      alsoConsumes: yamlTypes,
      data: changesSchema,
      handler: async ({ body, actor, request, reply }) => {
        const ifMatch = matchedTag(request.headers['if-match'], operations.configTag())
        const text = textOf(body) ?? ''
        const changes = await operations.applyConfig({ text, actor, ...(ifMatch !== undefined && { ifMatch }) })
        reply.header('etag', etag())
        return changes satisfies readonly ConfigChange[]
      },
    }),
    route({
      method: 'POST',
      path: '/config/check',
      tag: 'Configuration',
      summary: 'What applying a configuration would change',
      description: 'Without a text: the file the system runs from, as it is now. 400 `config_invalid` with every problem in `details`.',
      permission: 'manage:config',
      audited: false,
      body: optionalTextSchema,
      alsoConsumes: yamlTypes,
      data: changesSchema,
      handler: ({ body }) => operations.previewConfig(textOf(body)),
    }),
    route({
      method: 'POST',
      path: '/config/reload',
      tag: 'Configuration',
      summary: 'Read the configuration file again and apply it',
      permission: 'manage:config',
      data: changesSchema,
      handler: async ({ actor, reply }) => {
        const changes = await operations.applyConfig({ actor })
        reply.header('etag', etag())
        return changes
      },
    }),
  ]
}

/** The tag that `If-Match` asks for, when it is the current one. Weak tags never match. Source: RFC 9110, 13.1.1. */
function matchedTag(ifMatch: string | undefined, current: string): string | undefined {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  if (ifMatch.split(',').some((tag) => tag.trim() === `"${current}"`)) return current
  throw new HoldfastError('stale', 'the configuration has changed since it was read', {
    hint: 'read it again with GET /config, and send its ETag as If-Match',
    details: { current: `"${current}"` },
  })
}
