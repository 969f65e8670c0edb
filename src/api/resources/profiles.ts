/** Profiles: recording what an instance does, and reading what was recorded. */
import { createReadStream } from 'node:fs'
import { z } from 'zod'
import { profileKinds, profileMsMax, type ProfileInfo } from '../../app/profile-operations.ts'
import type { ApiDeps } from '../deps.ts'
import { RawAnswer, route, type Route } from '../route.ts'
import { isoTime, lineOfText, serviceName } from '../schemas/common.ts'

const tag = 'Profiles'
const permission = 'profile:service'

const profileSchema = z
  .object({
    id: z.string(),
    service: z.string(),
    instance: z.string(),
    pid: z.number().int().nullable().describe('null: it has not begun.'),
    kind: z.enum(profileKinds),
    state: z.enum(['running', 'done', 'failed']),
    startedAt: isoTime,
    durationMs: z.number(),
    bytes: z.number().int(),
    error: z.string().nullable(),
    actor: z.string(),
  })
  .meta({ id: 'Profile' })

/** Nodes in nodes: said once, in words, as a schema that names itself is read by few tools. */
const flameSchema = z
  .object({
    root: z.unknown().describe('`{ name, at, selfMs, totalMs, children }`, children of the same form, the longest first.'),
    samples: z.number().int(),
    omitted: z.number().int(),
  })
  .meta({ id: 'Flame' })

const orderSchema = z.strictObject({
  kind: z
    .enum(profileKinds)
    .default('cpu')
    .describe('cpu: where its time goes; heap: all that is in its memory (it stands still meanwhile); gc: collections and lag.'),
  durationMs: z.number().int().min(100).max(profileMsMax).default(10_000).describe('Of a heap snapshot it means nothing.'),
  instance: lineOfText(128).optional().describe('Default: the one that uses the most CPU, of those that report.'),
})

const params = z.strictObject({ id: lineOfText(64) })

export function profileRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'POST',
      path: '/services/:name/profiles',
      tag,
      summary: 'Record what an instance does',
      description:
        'Answered when the instance has begun; see GET /profiles for when it is done. The instance must load the reporter (`holdfast/instance`).',
      permission,
      params: z.strictObject({ name: serviceName }),
      body: orderSchema,
      status: 202,
      data: profileSchema,
      handler: async ({ params: { name }, body, actor }) => described(await operations.profiles.take(name, { ...body, actor })),
    }),
    route({
      method: 'GET',
      path: '/profiles',
      tag,
      summary: 'What was recorded, newest first',
      permission,
      data: z.array(profileSchema),
      handler: () => operations.profiles.list().map(described),
    }),
    route({
      method: 'GET',
      path: '/profiles/:id',
      tag,
      summary: 'The recording, as Chrome reads it',
      description:
        'A CPU profile (`.cpuprofile`), a heap snapshot (`.heapsnapshot`), or JSON of collections. A heap snapshot holds every secret that the process holds.',
      permission,
      params,
      data: z.never(),
      alsoProduces: ['application/octet-stream'],
      handler: ({ params: { id }, reply }) => {
        const { kind, instance } = operations.profiles.get(id)
        const file = operations.profiles.file(id)
        const extension = { cpu: 'cpuprofile', heap: 'heapsnapshot', gc: 'gc.json' }[kind]
        reply.header('content-disposition', `attachment; filename="${instance}-${id.slice(0, 8)}.${extension}"`)
        return new RawAnswer('application/octet-stream', createReadStream(file))
      },
    }),
    route({
      method: 'GET',
      path: '/profiles/:id/flame',
      tag,
      summary: 'Where the time of a CPU profile went, as a tree',
      permission,
      params,
      data: flameSchema,
      handler: async ({ params: { id } }) => operations.profiles.flame(id),
    }),
    route({
      method: 'DELETE',
      path: '/profiles/:id',
      tag,
      summary: 'Remove a recording',
      permission,
      params,
      data: z.object({ id: z.string(), removed: z.literal(true) }),
      handler: async ({ params: { id }, actor }) => {
        await operations.profiles.remove(id, { actor })
        return { id, removed: true as const }
      },
    }),
  ]
}

const described = (info: ProfileInfo): z.input<typeof profileSchema> => ({
  ...info,
  pid: info.pid ?? null,
  startedAt: new Date(info.startedAt).toISOString(),
  error: info.error ?? null,
})
