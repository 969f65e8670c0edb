/** What is done by itself when something happens: how each policy stands. */
import { z } from 'zod'
import type { PolicyStatus } from '../../app/operations.ts'
import type { ApiDeps } from '../deps.ts'
import { route, type Route } from '../route.ts'
import { isoTime } from '../schemas/common.ts'

const happened = (description: string): z.ZodNullable<z.ZodObject<{ at: typeof isoTime; reason: z.ZodString }>> =>
  z.object({ at: isoTime, reason: z.string() }).nullable().describe(description)

const policySchema = z
  .object({
    name: z.string(),
    on: z.string().describe('What sets it off, as it is written: `check front down`.'),
    match: z.record(z.string(), z.string()).describe('Only where all of these are equal.'),
    actions: z.array(z.string()).describe('What it does, one after the other.'),
    enabled: z.boolean(),
    dryRun: z.boolean().describe('It only says what it would do.'),
    running: z.boolean().describe('It is acting now.'),
    runs: z.number().int(),
    lastRun: isoTime.nullable(),
    againAt: isoTime.nullable().describe('By its cooldown or its limit it does not run before that; null: it may run now.'),
    refusals: z.number().int().describe('Since the control process started.'),
    lastRefusal: happened('Why it did nothing, since it last ran.'),
    lastFailure: happened('What went wrong, since the control process started.'),
  })
  .meta({ id: 'Policy' })

export const policyRoutes = ({ operations }: ApiDeps): readonly Route[] => [
  route({
    method: 'GET',
    path: '/policies',
    tag: 'Checks',
    summary: 'What is done by itself when something happens, and what became of it',
    description: 'Each run and each refusal is an event: `policy.ran`, `policy.refused`, `policy.failed`.',
    permission: 'read:status',
    data: z.array(policySchema),
    handler: () => operations.policies().map(described),
  }),
]

const described = (policy: PolicyStatus): z.input<typeof policySchema> => ({
  ...policy,
  match: { ...policy.match },
  actions: [...policy.actions],
  lastRun: timeOf(policy.lastRun),
  againAt: timeOf(policy.againAt),
  lastRefusal: happenedOf(policy.lastRefusal),
  lastFailure: happenedOf(policy.lastFailure),
})

const happenedOf = (happened: PolicyStatus['lastRefusal']): { readonly at: string; readonly reason: string } | null =>
  happened === undefined ? null : { ...happened, at: new Date(happened.at).toISOString() }
const timeOf = (at: number | undefined): string | null => (at === undefined ? null : new Date(at).toISOString())
