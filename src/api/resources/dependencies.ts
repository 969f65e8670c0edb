/** What needs what, what goes down with something, and what is down because of what. */
import { z } from 'zod'
import type { DependencyReport, Evidence, RankedCause } from '../../app/dependency-operations.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Immutable, type Route } from '../route.ts'
import { lineOfText } from '../schemas/common.ts'
import { causeSchema, dependenciesSchema, impactSchema } from '../schemas/dependencies.ts'

const tag = 'Dependencies'
const nodeName = lineOfText(320).describe('A service, a check, or an address such as db.internal:5432.')

export function dependencyRoutes({ operations }: ApiDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/dependencies',
      tag,
      summary: 'What needs what, and why that is believed',
      permission: 'read:status',
      data: dependenciesSchema,
      handler: () => described(operations.dependencies.report()),
    }),
    route({
      method: 'GET',
      path: '/dependencies/causes',
      tag,
      summary: 'What is down because of what: the causes, the likeliest first',
      permission: 'read:status',
      data: z.array(causeSchema),
      handler: () => operations.dependencies.causes().map((cause: RankedCause) => ({ ...cause, since: timeOf(cause.since) })),
    }),
    route({
      method: 'GET',
      path: '/dependencies/:name/impact',
      tag,
      summary: 'What goes down with it',
      permission: 'read:status',
      params: z.strictObject({ name: nodeName }),
      data: impactSchema,
      handler: ({ params: { name } }) => operations.dependencies.impact(name),
    }),
  ]
}

function described({ nodes, edges, calls }: DependencyReport): Immutable<z.input<typeof dependenciesSchema>> {
  return {
    nodes: nodes.map((node) => ({ ...node, since: timeOf(node.since), because: node.because ?? null })),
    edges: edges.map((edge) => ({ ...edge, evidence: edge.evidence.map(evidenceOf) })),
    calls,
  }
}

const evidenceOf = (evidence: Evidence): z.input<typeof dependenciesSchema>['edges'][number]['evidence'][number] =>
  'lastAt' in evidence ? { ...evidence, firstAt: iso(evidence.firstAt), lastAt: iso(evidence.lastAt) } : evidence

const iso = (at: number): string => new Date(at).toISOString()
const timeOf = (at: number | undefined): string | null => (at === undefined ? null : iso(at))
