/**
 * Conditions of rules, as trees. A condition gives a vector: one element for each label set that it has something to say about.
 *
 *   error_rate(shop) > 5% and sum(requests_bad(shop), 1m) >= 10
 *
 * `at` is where a node begins in its text, from 0.
 */
import type { Matcher } from '../matchers.ts'

export type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!='
export type Arithmetic = '+' | '-' | '*' | '/'
export type Operator = Comparison | Arithmetic | 'and' | 'or'

/** Over the samples of one series in a window. */
export const windowFunctions = ['avg', 'max', 'min', 'sum', 'last', 'count', 'rate', 'delta'] as const
export type WindowFunction = (typeof windowFunctions)[number]
/** Over all elements, or those that have labels in common. */
export const aggregations = ['avg', 'max', 'min', 'sum', 'count'] as const
export type Aggregation = (typeof aggregations)[number]

/** As written: `5%`, `250ms`, `400MiB`, `3`. */
export const literalUnits = ['', '%', 'ms', 's', 'm', 'h', 'd', 'B', 'KiB', 'MiB', 'GiB', 'TiB'] as const
export type LiteralUnit = (typeof literalUnits)[number]

interface Node {
  readonly at: number
}

export interface NumberNode extends Node {
  readonly kind: 'number'
  readonly value: number
  readonly unit: LiteralUnit
}

/** `p95(shop)`, `check_up{check="db"}`, `machine_disk`. */
export interface SeriesNode extends Node {
  readonly kind: 'series'
  readonly metric: string
  /** The service or check in parentheses; undefined: any. */
  readonly subject: string | undefined
  readonly matchers: readonly Matcher[]
}

/** `avg(p95(shop), 5m)`. */
export interface WindowNode extends Node {
  readonly kind: 'window'
  readonly name: WindowFunction
  readonly of: SeriesNode
  readonly windowMs: number
}

/** `sum(instance_memory) by (service)`. */
export interface AggregateNode extends Node {
  readonly kind: 'aggregate'
  readonly name: Aggregation
  readonly of: Expression
  readonly by: readonly string[]
}

/** `absent(check_up(db), 2m)`. */
export interface AbsentNode extends Node {
  readonly kind: 'absent'
  readonly of: SeriesNode
  readonly windowMs: number
}

/** `events(instance.exited{class="crash"}, shop, 10m) by (instance)`. */
export interface EventsNode extends Node {
  readonly kind: 'events'
  readonly type: string
  readonly subject: string | undefined
  readonly matchers: readonly Matcher[]
  readonly windowMs: number
  readonly by: readonly string[]
}

/** `burn_rate(shop, 1h)`: of that window; `fast` and `slow`: of the pairs of windows whose both sides burn too fast. */
export interface BurnNode extends Node {
  readonly kind: 'burn'
  readonly subject: string | undefined
  readonly window: number | 'fast' | 'slow'
}

/** `anomaly(request_rate(shop))`: how far it lies from what was to be expected, while that is far. */
export interface AnomalyNode extends Node {
  readonly kind: 'anomaly'
  readonly of: SeriesNode
}

/** `prometheus("up == 0")`: the vector that a Prometheus server answers. */
export interface PrometheusNode extends Node {
  readonly kind: 'prometheus'
  readonly query: string
}

export interface NotNode extends Node {
  readonly kind: 'not'
  readonly of: Expression
}

export interface NegativeNode extends Node {
  readonly kind: 'negative'
  readonly of: Expression
}

export interface BinaryNode extends Node {
  readonly kind: 'binary'
  readonly operator: Operator
  readonly left: Expression
  readonly right: Expression
}

export type Expression =
  | NumberNode
  | SeriesNode
  | WindowNode
  | AggregateNode
  | AbsentNode
  | EventsNode
  | BurnNode
  | AnomalyNode
  | PrometheusNode
  | NotNode
  | NegativeNode
  | BinaryNode

export const comparisons: readonly Operator[] = ['>', '>=', '<', '<=', '==', '!=']
export const isComparison = (operator: Operator): operator is Comparison => comparisons.includes(operator)

/** All nodes, the node itself first. */
export function* walk(node: Expression): Generator<Expression> {
  yield node
  if (node.kind === 'binary') {
    yield* walk(node.left)
    yield* walk(node.right)
  } else if ('of' in node) yield* walk(node.of)
}
