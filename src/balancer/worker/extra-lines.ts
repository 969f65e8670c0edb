/** Lines that parts of the balancer add to a head, besides what is carried. */
import type { Answer } from './answers.ts'

export const joined = (a: Buffer | undefined, b: Buffer | undefined): Buffer | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Buffer.concat([a, b])

/** An answer of ours, with lines more. */
export const withLines = (answer: Answer, lines: Buffer | undefined): Answer =>
  lines === undefined ? answer : { ...answer, fields: (answer.fields ?? '') + lines.toString('latin1') }
