/** What is wrong with a condition, and where in it. */
import { HoldfastError } from '../../../kernel/errors.ts'

export interface ConditionPlace {
  /** From 0. */
  readonly offset: number
  readonly width: number
  /** From 1, in the condition's own text. */
  readonly line: number
  readonly column: number
  /** Without the text of the condition around it. */
  readonly problem: string
}

/** Code `condition_invalid`; details: `ConditionPlace`. */
export function conditionError(text: string, offset: number, width: number, problem: string, hint?: string): HoldfastError {
  const before = text.slice(0, offset).split('\n')
  const place: ConditionPlace = { offset, width: Math.max(1, width), line: before.length, column: (before.at(-1) ?? '').length + 1, problem }
  const where = before.length > 1 ? `line ${place.line}, character ${place.column}` : `character ${place.column}`
  return new HoldfastError('condition_invalid', `tried to read the condition ${quoted(text)}: at ${where}: ${problem}`, {
    ...(hint !== undefined && { hint }),
    details: place,
  })
}

/** As a JSON string, cut to a readable length. */
export const quoted = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)
