/** A condition, read, checked and ready to be evaluated. */
import { walk, type Expression } from './ast.ts'
import { parseCondition } from './parser.ts'
import { printCondition } from './print.ts'
import { dimensionOf, withPlainNumbers, type Dimension } from './units.ts'

export interface Condition {
  /** In one spelling. */
  readonly text: string
  /** With plain numbers only. */
  readonly expression: Expression
  /** Of its values. */
  readonly dimension: Dimension
  /** Types of events that it counts: it is evaluated at once when one happens. */
  readonly watches: readonly string[]
  /** How far back it counts them. */
  readonly eventWindows: readonly number[]
  readonly queries: readonly string[]
  /** Names of services and checks that it speaks of. */
  readonly subjects: readonly { readonly label: 'service' | 'check'; readonly name: string; readonly at: number }[]
  /** It looks at long windows or elsewhere: every 15 s is enough. */
  readonly costly: boolean
}

/** Windows longer than this are not looked at every second. */
const shortWindowMs = 10 * 60_000

/** Throws `condition_invalid`. */
export function compileCondition(text: string): Condition {
  const read = parseCondition(text)
  const expression = withPlainNumbers(read, text)
  const nodes = [...walk(read)]
  return {
    text: printCondition(read),
    expression,
    dimension: dimensionOf(read),
    watches: [...new Set(nodes.flatMap((node) => (node.kind === 'events' ? [node.type] : [])))],
    eventWindows: nodes.flatMap((node) => (node.kind === 'events' ? [node.windowMs] : [])),
    queries: [...new Set(nodes.flatMap((node) => (node.kind === 'prometheus' ? [node.query] : [])))],
    subjects: nodes.flatMap(subjectOf),
    costly: nodes.some(
      (node) =>
        node.kind === 'burn' || node.kind === 'anomaly' || node.kind === 'prometheus' || (node.kind === 'window' && node.windowMs > shortWindowMs),
    ),
  }
}

function subjectOf(node: Expression): Condition['subjects'] {
  if (node.kind !== 'series' && node.kind !== 'events' && node.kind !== 'burn') return []
  if (node.subject === undefined) return []
  const label = node.kind === 'series' && node.metric.startsWith('check_') ? 'check' : 'service'
  return [{ label, name: node.subject, at: node.at }]
}
