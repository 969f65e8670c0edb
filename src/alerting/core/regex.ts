/**
 * Regular expressions as Alertmanager and Prometheus mean them (Go's RE2), matched in time that grows with the text alone: what people write into a silence, and what
 * others put into a label, must not be able to hold up the process that supervises everything, as backtracking would.
 */
import { RE2JS } from 're2js'
import { HoldfastError, messageOf } from '../../kernel/errors.ts'

export interface Regex {
  /** The whole of it. */
  matches(text: string): boolean
}

/** Throws `invalid_input`. */
export function parseRegex(source: string): Regex {
  try {
    return RE2JS.compile(source)
  } catch (error) {
    throw new HoldfastError('invalid_input', `tried to read the regular expression ${JSON.stringify(source.slice(0, 200))}: ${messageOf(error)}`, {
      hint: 'expressions are those of Go (RE2): there is no looking ahead or behind, and no back-reference',
    })
  }
}
