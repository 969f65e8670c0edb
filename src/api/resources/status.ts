/**
 * The public status page and its documents: for everybody, under any name, as often as they like. Ready-made bytes are sent as they are; who shows the tag of what is still
 * true gets no body. `Cache-Control` lets the balancer, or whoever stands in front, answer instead, and go on answering while nothing is there to ask.
 */
import { z } from 'zod'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HoldfastError } from '../../kernel/errors.ts'
import { statusPagePolicy, type StatusDocumentName } from '../../status/index.ts'
import type { ApiDeps } from '../deps.ts'
import { RawAnswer, route, type Route } from '../route.ts'

const cacheControl = 'public, max-age=5, stale-while-revalidate=30, stale-if-error=600'

const produces: Partial<Record<StatusDocumentName, string>> = { page: 'text/html', feed: 'application/atom+xml' }

interface Page {
  readonly path: string
  readonly document: StatusDocumentName
  readonly summary: string
}

const statuspage = 'The shape is that of Statuspage.'
const pages: readonly Page[] = [
  { path: '/status', document: 'page', summary: 'The public status page' },
  { path: '/status.json', document: 'all', summary: 'All that the status page says' },
  { path: '/status/api/v2/summary.json', document: 'summary', summary: `Components, incidents that go on, and maintenance. ${statuspage}` },
  { path: '/status/api/v2/status.json', document: 'status', summary: `The whole in one word and one sentence. ${statuspage}` },
  { path: '/status/api/v2/components.json', document: 'components', summary: `Components. ${statuspage}` },
  { path: '/status/api/v2/incidents.json', document: 'incidents', summary: `Incidents of the last weeks. ${statuspage}` },
  { path: '/status/api/v2/incidents/unresolved.json', document: 'unresolved', summary: `Incidents that go on. ${statuspage}` },
  { path: '/status/api/v2/scheduled-maintenances.json', document: 'maintenances', summary: `Maintenance, planned and in progress. ${statuspage}` },
  { path: '/status/api/v2/scheduled-maintenances/upcoming.json', document: 'upcoming', summary: `Planned maintenance. ${statuspage}` },
  { path: '/status/api/v2/scheduled-maintenances/active.json', document: 'active', summary: `Maintenance in progress. ${statuspage}` },
  { path: '/status/history.atom', document: 'feed', summary: 'Incidents and maintenance as an Atom feed' },
]

export function statusRoutes({ operations }: ApiDeps): readonly Route[] {
  return pages.map(({ path, document, summary }) =>
    route({
      method: 'GET',
      path,
      atRoot: true,
      tag: 'Status page',
      summary,
      permission: 'open',
      unlimited: true,
      anyHost: true,
      data: z.string(),
      alsoProduces: [produces[document] ?? 'application/json'],
      handler: ({ request, reply }) => answer(document, request, reply),
    }),
  )

  function answer(name: StatusDocumentName, request: FastifyRequest, reply: FastifyReply): RawAnswer {
    const document = operations.statusPage.document(name)
    if (!document)
      throw new HoldfastError('not_found', 'the status page is switched off', {
        hint: 'statusPage: off in the configuration says so; leave it out to have one',
      })
    const { contentType, body, gzip, etag } = document
    // One copy is enough for a cache on the way, which would else keep one for each wording of this field; it may compress what it passes on.
    const direct = request.headers.via === undefined
    const zipped = direct && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/i.test(request.headers['accept-encoding'] ?? '')
    const tag = zipped ? `${etag.slice(0, -1)}-gz"` : etag
    reply.header('cache-control', cacheControl).header('etag', tag)
    if (direct) reply.header('vary', 'accept-encoding')
    if (name === 'page') reply.header('content-security-policy', statusPagePolicy)
    // Whoever may read it may read it from a page elsewhere: widgets do.
    else reply.header('access-control-allow-origin', '*').header('cross-origin-resource-policy', 'cross-origin')
    if (hasTag(request.headers['if-none-match'], tag)) {
      void reply.code(304)
      return new RawAnswer(contentType, '')
    }
    if (zipped) reply.header('content-encoding', 'gzip')
    return new RawAnswer(contentType, zipped ? gzip : body)
  }
}

/** RFC 9110 §13.1.2: compared weakly, as a proxy may have weakened it. */
const hasTag = (field: string | undefined, tag: string): boolean =>
  field !== undefined && (field.trim() === '*' || field.split(',').some((each) => each.trim().replace(/^W\//, '') === tag))
