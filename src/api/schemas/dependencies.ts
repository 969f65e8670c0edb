/** The graph of what needs what as JSON. */
import { z } from 'zod'
import { isoTime } from './common.ts'

const kind = z.enum(['service', 'check', 'address'])
const seen = {
  count: z.number().describe('Over seven days, older ones counting less.'),
  share: z.number().describe('Of all that the caller does in this way, 0 to 1.'),
  firstAt: isoTime,
  lastAt: isoTime,
}

const evidence = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('configured') }),
  z.object({ kind: z.literal('dependsOn') }),
  z.object({ kind: z.literal('environment'), variable: z.string() }),
  z.object({ kind: z.literal('calls'), ...seen }),
  z.object({ kind: z.literal('connections'), ...seen }),
])

export const dependenciesSchema = z
  .object({
    nodes: z.array(
      z.object({
        name: z.string(),
        kind,
        state: z.enum(['up', 'suspect', 'down', 'unknown']).describe('`unknown`: nothing checks it, or it has not been checked yet.'),
        since: isoTime.nullable(),
        because: z.string().nullable().describe('What it is down because of; null: it is not, or nothing else.'),
      }),
    ),
    edges: z.array(
      z.object({
        from: z.string().describe('Who needs.'),
        to: z.string().describe('What.'),
        hard: z.boolean().describe('`false`: it works without, only less well.'),
        alternatives: z.array(z.string()).describe('Others that would do as well.'),
        evidence: z.array(evidence),
        why: z.string().describe('The evidence for people.'),
      }),
    ),
    calls: z.object({
      told: z.number().int().describe('Calls from this machine that the balancer has told of, a sample.'),
      traced: z.number().int().describe('Those whose caller was found to be a service.'),
    }),
  })
  .meta({ id: 'Dependencies' })

export const impactSchema = z
  .object({
    name: z.string(),
    kind,
    affected: z.array(
      z.object({ name: z.string(), kind, effect: z.enum(['down', 'degraded']), path: z.array(z.string()).describe('From it to what is down.') }),
    ),
    services: z.number().int().describe('Services that are down or degraded then, itself among them.'),
    servicesTotal: z.number().int(),
    summary: z.string().meta({ examples: ['database down: affects auth, shop; 3 of 5 services'] }),
  })
  .meta({ id: 'Impact' })

export const causeSchema = z
  .object({
    name: z.string(),
    score: z
      .number()
      .describe('0 to 1, highest first: how much of what is down it explains, whether it was first, and how well the needs between are known.'),
    explains: z.array(z.string()),
    since: isoTime.nullable().describe('null: nothing checks it.'),
    reason: z.string(),
  })
  .meta({ id: 'Cause' })
