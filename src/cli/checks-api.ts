/** Checks and policies as the API tells of them. */
import type { Check, CheckDetail } from '../api/types.ts'

export type { Policy as PolicyDescription } from '../api/types.ts'

/** What the list leaves out is there of a single one. */
export type CheckDescription = Check & Partial<CheckDetail>
export type OutcomeDescription = CheckDetail['outcomes'][number]
export type ChecksDescription = readonly CheckDescription[]
