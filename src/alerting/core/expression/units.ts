/**
 * What numbers with units stand for beside the series they are compared with: `5%` is 0.05 of a ratio and 5 of a percentage, `250ms` is 250 of
 * milliseconds and nothing of bytes. What cannot be compared is an error before it is ever evaluated.
 */
import { metricInfo, type Unit } from '../../../metrics/core/catalogue.ts'
import { isComparison, walk, type BinaryNode, type Expression, type NumberNode } from './ast.ts'
import { conditionError } from './problem.ts'

/** `number`: without a unit. `any`: what a Prometheus server or a check measures, which only its owner knows. `literal`: as what stands beside it. */
export type Dimension = Unit | 'number' | 'any' | 'literal'

const times: Partial<Record<NumberNode['unit'], number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const sizes: Partial<Record<NumberNode['unit'], number>> = { B: 1, KiB: 1_024, MiB: 1_024 ** 2, GiB: 1_024 ** 3, TiB: 1_024 ** 4 }

/** The same condition with plain numbers only. Throws `condition_invalid`. `text`: what it was read from. */
export function withPlainNumbers(condition: Expression, text: string): Expression {
  if (![...walk(condition)].some((node) => node.kind !== 'number' && node.kind !== 'binary' && node.kind !== 'negative' && node.kind !== 'not'))
    throw conditionError(text, condition.at, 1, 'nothing in it is measured', 'name a series, such as error_rate(shop) > 5%')
  return new Resolver(text).resolve(condition, 'number')
}

/** The unit of the values that a condition gives. */
export function dimensionOf(node: Expression): Dimension {
  switch (node.kind) {
    case 'number':
      return 'literal'
    case 'series':
      return node.metric === 'check_value' ? 'any' : (metricInfo(node.metric)?.unit ?? 'any')
    case 'window':
      return node.name === 'count' ? 'count' : node.name === 'rate' ? 'any' : dimensionOf(node.of)
    case 'aggregate':
      return node.name === 'count' ? 'count' : dimensionOf(node.of)
    case 'absent':
    case 'events':
      return 'count'
    case 'burn':
    case 'anomaly':
      return 'number'
    case 'prometheus':
      return 'any'
    case 'not':
    case 'negative':
      return dimensionOf(node.of)
    case 'binary':
      return ofBinary(node)
  }
}

function ofBinary({ operator, left, right }: BinaryNode): Dimension {
  const [a, b] = [dimensionOf(left), dimensionOf(right)]
  if (operator === 'and' || operator === 'or' || isComparison(operator)) return a === 'literal' ? b : a
  if (operator === '+' || operator === '-') return a === 'literal' ? b : a
  if (a === 'literal') return operator === '*' ? b : 'any'
  if (b === 'literal') return a
  return operator === '/' && a === b ? 'ratio' : 'any'
}

class Resolver {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  resolve(node: Expression, wanted: Dimension): Expression {
    switch (node.kind) {
      case 'number':
        return { ...node, value: this.#value(node, wanted), unit: '' }
      case 'not':
      case 'negative':
        return { ...node, of: this.resolve(node.of, wanted) }
      case 'aggregate':
        return { ...node, of: this.resolve(node.of, wanted) }
      case 'binary':
        return this.#binary(node, wanted)
      default:
        return node
    }
  }

  #binary(node: BinaryNode, wanted: Dimension): Expression {
    const { operator, left, right } = node
    const [a, b] = [dimensionOf(left), dimensionOf(right)]
    if (operator === 'and' || operator === 'or') return { ...node, left: this.resolve(left, wanted), right: this.resolve(right, wanted) }
    if (isComparison(operator) || operator === '+' || operator === '-') {
      const common = a === 'literal' ? (b === 'literal' ? wanted : b) : a
      this.#checkAlike(node, a, b)
      const resolved = { ...node, left: this.resolve(left, common), right: this.resolve(right, common) }
      if (isComparison(operator)) this.#checkShare(common, resolved)
      return resolved
    }
    // A factor: 5% of something is 0.05 times it.
    return { ...node, left: this.resolve(left, a === 'literal' && b === 'literal' ? wanted : 'number'), right: this.resolve(right, 'number') }
  }

  #checkAlike({ left, right, operator }: BinaryNode, a: Dimension, b: Dimension): void {
    const loose = ['literal', 'any', 'number', 'count'] as readonly Dimension[]
    if (a === b || loose.includes(a) || loose.includes(b)) return
    throw conditionError(
      this.#text,
      right.at,
      1,
      `what is left of "${operator}" is in ${spoken(a)}, what is right of it in ${spoken(b)}`,
      left.kind === 'series' ? `${left.metric} is in ${spoken(a)}` : undefined,
    )
  }

  /** `error_rate(shop) > 5` can never be true. */
  #checkShare(common: Dimension, { left, right }: BinaryNode): void {
    if (common !== 'ratio') return
    for (const side of [left, right]) {
      if (side.kind === 'number' && side.value > 1)
        throw conditionError(
          this.#text,
          side.at,
          1,
          `a ratio is from 0 to 1, and never ${side.value}`,
          side.value <= 100 ? `write ${side.value}%` : undefined,
        )
    }
  }

  #value({ value, unit, at }: NumberNode, wanted: Dimension): number {
    if (unit === '') return value
    const refuse = (what: string): never => {
      const beside =
        wanted === 'any' || wanted === 'number' || wanted === 'literal' || wanted === 'count'
          ? 'has no unit that is known here'
          : `is in ${spoken(wanted)}`
      throw conditionError(
        this.#text,
        at,
        `${value}${unit}`.length,
        `${value}${unit} is ${what}, and what it stands beside ${beside}`,
        `write a plain number${hints[wanted] ?? ''}`,
      )
    }
    if (unit === '%') {
      if (wanted === 'ratio' || wanted === 'number') return value / 100
      return wanted === 'percent' || wanted === 'any' || wanted === 'count' ? value : refuse('a share')
    }
    const time = times[unit]
    if (time !== undefined) {
      if (wanted === 'ms') return value * time
      return wanted === 'days' ? (value * time) / 86_400_000 : refuse('a time')
    }
    const size = value * (sizes[unit] ?? 1)
    return wanted === 'bytes' || wanted === 'bytes per second' || wanted === 'any' ? size : refuse('a size')
  }
}

const spoken = (dimension: Dimension): string => (dimension === 'ratio' ? 'ratios' : dimension)
const hints: Partial<Record<Dimension, string>> = {
  ratio: ' or a share such as 5%',
  ms: ' or a time such as 250ms',
  bytes: ' or a size such as 400MiB',
  percent: ' or a share such as 80%',
}
