/** A condition as text, in one spelling: what it is read from again is the same tree. */
import { unreachable } from '../../../kernel/errors.ts'
import type { Matcher } from '../matchers.ts'
import { isComparison, type Expression, type Operator } from './ast.ts'
import { absentDefaultMs } from './parser.ts'

export function printCondition(node: Expression): string {
  return print(node, 0)
}

const tightness = (operator: Operator): number =>
  operator === 'or' ? 1 : operator === 'and' ? 2 : isComparison(operator) ? 4 : operator === '+' || operator === '-' ? 5 : 6

function print(node: Expression, around: number): string {
  switch (node.kind) {
    case 'number':
      return `${decimal(node.value)}${node.unit}`
    case 'series':
      return `${node.metric}${node.subject === undefined ? '' : `(${subject(node.subject)})`}${matchers(node.matchers)}`
    case 'window':
      return `${node.name}(${print(node.of, 0)}, ${duration(node.windowMs)})`
    case 'aggregate':
      return `${node.name}(${print(node.of, 0)})${by(node.by)}`
    case 'absent':
      return `absent(${print(node.of, 0)}${node.windowMs === absentDefaultMs ? '' : `, ${duration(node.windowMs)}`})`
    case 'events':
      return `events(${node.type}${matchers(node.matchers)}, ${node.subject === undefined ? '' : `${subject(node.subject)}, `}${duration(node.windowMs)})${by(node.by)}`
    case 'burn':
      return `burn_rate(${node.subject === undefined ? '*' : subject(node.subject)}${node.window === 'fast' ? '' : `, ${node.window === 'slow' ? 'slow' : duration(node.window)}`})`
    case 'anomaly':
      return `anomaly(${print(node.of, 0)})`
    case 'prometheus':
      return `prometheus(${text(node.query)})`
    case 'not':
      return within(`not ${print(node.of, 3)}`, 3, around)
    case 'negative':
      return within(`-${print(node.of, 7)}`, 7, around)
    case 'binary': {
      const own = tightness(node.operator)
      // On the left another of the same rank needs no parentheses, but for comparisons, which do not chain.
      const left = print(node.left, own === 4 ? 5 : own)
      return within(`${left} ${node.operator} ${print(node.right, own + 1)}`, own, around)
    }
    default:
      return unreachable(node)
  }
}

const within = (inner: string, own: number, around: number): string => (own < around ? `(${inner})` : inner)

/** Without an exponent where JavaScript would write `1e+21`: the sign would be read as a sum. */
const decimal = (value: number): string => String(value).replace('e+', 'e')

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

function duration(windowMs: number): string {
  for (const [unit, length] of units) if (windowMs % length === 0) return `${windowMs / length}${unit}`
  return `${windowMs}ms`
}

const text = (value: string): string => `"${value.replaceAll(/["\\\n]/g, (what) => (what === '\n' ? '\\n' : `\\${what}`))}"`
const subject = (name: string): string => (/^[A-Za-z][\w.-]*$/.test(name) ? name : text(name))
const by = (labels: readonly string[]): string => (labels.length === 0 ? '' : ` by (${labels.join(', ')})`)

function matchers(list: readonly Matcher[]): string {
  if (list.length === 0) return ''
  return `{${list.map(({ name, value, isRegex, isEqual }) => `${name}${isEqual ? '=' : '!'}${isRegex ? '~' : isEqual ? '' : '='}${text(value)}`).join(', ')}}`
}
