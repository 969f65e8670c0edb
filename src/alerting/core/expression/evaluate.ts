/**
 * The value of a condition at one instant: a vector of elements, each with its labels, a value, and whether it holds.
 *
 * Elements of two sides belong together when the labels that both have are equal: `instance_memory(*) > 400MiB and request_rate(*) > 1` finds for each
 * instance the rate of its service. What has no counterpart falls out; `and not` keeps it.
 */
import { labelsKey, type Labels } from '../../../kernel/labels.ts'
import type { Sample, Series } from '../../../metrics/types.ts'
import { HoldfastError, unreachable } from '../../../kernel/errors.ts'
import { matches } from '../matchers.ts'
import {
  isComparison,
  type AbsentNode,
  type AggregateNode,
  type Arithmetic,
  type BinaryNode,
  type Comparison,
  type EventsNode,
  type Expression,
  type SeriesNode,
  type WindowNode,
} from './ast.ts'
import { burn } from './burn.ts'
import type { Element, Inputs } from './inputs.ts'
import { subjectLabel } from './parser.ts'

/** `holds`: undefined where nothing was compared; a value other than 0 counts then. */
interface Judged extends Element {
  readonly holds?: boolean
}
type Outcome = number | readonly Judged[]

/** More label sets than this are a mistake in the condition. */
export const elementsMax = 1_000

export interface JudgedElement extends Element {
  readonly holds: boolean
}

/** Every label set that the condition says something of. Throws what the inputs throw, and `condition_failed`. */
export function evaluateJudged(condition: Expression, inputs: Inputs): readonly JudgedElement[] {
  const outcome = valueOf(condition, inputs)
  if (typeof outcome === 'number') return []
  const judged = outcome.map((element) => ({ ...element, holds: holds(element) }))
  const held = judged.reduce((count, element) => count + (element.holds ? 1 : 0), 0)
  if (held > elementsMax)
    throw failed(`it holds for ${held} label sets, and may for ${elementsMax}`, 'aggregate with sum(…) by (service), or name what is meant')
  return unique(judged)
}

/** Those for which it holds. */
export const evaluateCondition = (condition: Expression, inputs: Inputs): readonly Element[] =>
  evaluateJudged(condition, inputs).flatMap(({ labels, value, holds }) => (holds ? { labels, value } : []))

const holds = ({ holds, value }: Judged): boolean => holds ?? (value !== 0 && !Number.isNaN(value))
const failed = (what: string, hint?: string): HoldfastError =>
  new HoldfastError('condition_failed', `tried to evaluate a condition: ${what}`, { ...(hint !== undefined && { hint }) })

/** One of each label set: the first that holds, or else the first. */
function unique(elements: readonly JudgedElement[]): readonly JudgedElement[] {
  if (elements.length < 2) return elements
  const kept = new Map<string, JudgedElement>()
  for (const element of elements) {
    const key = labelsKey(element.labels)
    const known = kept.get(key)
    if (known === undefined || (!known.holds && element.holds)) kept.set(key, element)
  }
  return [...kept.values()]
}

function valueOf(node: Expression, inputs: Inputs): Outcome {
  switch (node.kind) {
    case 'number':
      return node.value
    case 'series':
      return latest(node, inputs)
    case 'window':
      return overWindow(node, inputs)
    case 'aggregate':
      return aggregate(node, valueOf(node.of, inputs))
    case 'absent':
      return absent(node, inputs)
    case 'events':
      return countEvents(node, inputs)
    case 'burn':
      return burn(node, inputs)
    case 'anomaly':
      return inputs.anomalies(node.of, inputs.now, inputs.series).filter(({ labels }) => selects(node.of, labels))
    case 'prometheus':
      return inputs.prometheus(node.query)
    case 'not':
      return not(valueOf(node.of, inputs))
    case 'negative':
      return mapped(valueOf(node.of, inputs), (value) => -value)
    case 'binary':
      return binary(node, inputs)
    default:
      return unreachable(node)
  }
}

// --- series ---------------------------------------------------------------------------------------------------------

/** What the reader can select by itself. */
export function selectorOf({ metric, subject }: SeriesNode): { readonly metric: string; readonly labels?: Labels } {
  const label = subjectLabel(metric)
  return subject === undefined || label === undefined ? { metric } : { metric, labels: { [label]: subject } }
}

export const selects = ({ matchers }: SeriesNode, labels: Labels): boolean => matchers.length === 0 || matches(matchers, labels)

function latest(node: SeriesNode, { series }: Inputs): readonly Judged[] {
  return series
    .latest(selectorOf(node))
    .filter(({ labels }: Sample) => selects(node, labels))
    .map(({ labels, value }) => ({ labels, value }))
}

function ranges(node: SeriesNode, windowMs: number, { series, now }: Inputs): readonly Series[] {
  return series
    .range({ ...selectorOf(node), from: now - windowMs + 1, to: now + 1 })
    .filter(({ labels, points }) => points.length > 0 && selects(node, labels))
}

function overWindow({ name, of, windowMs }: WindowNode, inputs: Inputs): readonly Judged[] {
  return ranges(of, windowMs, inputs).flatMap(({ labels, points }) => {
    const [first, last] = [points[0], points.at(-1)]
    if (first === undefined || last === undefined) return []
    const seconds = (last.at - first.at) / 1_000
    switch (name) {
      case 'max':
        return { labels, value: points.reduce((most, { max }) => Math.max(most, max), -Infinity) }
      case 'min':
        return { labels, value: points.reduce((least, { min }) => Math.min(least, min), Infinity) }
      case 'last':
        return { labels, value: last.last }
      case 'delta':
        return { labels, value: last.last - first.last }
      case 'rate':
        return seconds > 0 ? { labels, value: (last.last - first.last) / seconds } : []
      case 'count':
        return { labels, value: points.reduce((sum, { count }) => sum + count, 0) }
      case 'sum':
        return { labels, value: points.reduce((sum, { mean, count }) => sum + mean * count, 0) }
      case 'avg': {
        const count = points.reduce((sum, point) => sum + point.count, 0)
        return { labels, value: points.reduce((sum, point) => sum + point.mean * point.count, 0) / count }
      }
      default:
        return unreachable(name)
    }
  })
}

function absent({ of, windowMs }: AbsentNode, inputs: Inputs): readonly Judged[] {
  if (inputs.now - inputs.since < windowMs || ranges(of, windowMs, inputs).length > 0) return []
  const labels: Record<string, string> = { ...selectorOf(of).labels }
  for (const { name, value, isEqual, isRegex } of of.matchers) if (isEqual && !isRegex) labels[name] = value
  return [{ labels, value: 1 }]
}

function countEvents({ type, subject, matchers, windowMs, by }: EventsNode, inputs: Inputs): readonly Judged[] {
  const counts = new Map<string, { readonly labels: Labels; value: number }>()
  for (const event of inputs.events(type, inputs.now - windowMs, inputs.now)) {
    if ((subject !== undefined && event.labels.service !== subject) || !matches(matchers, event.labels)) continue
    const labels = only(event.labels, by.length > 0 ? by : ['service'])
    const key = labelsKey(labels)
    const known = counts.get(key)
    if (known) known.value++
    else counts.set(key, { labels, value: 1 })
  }
  return [...counts.values()]
}

// --- over elements ------------------------------------------------------------------------------------------------------

function only(labels: Labels, names: readonly string[]): Labels {
  const kept: Record<string, string> = {}
  for (const name of names) if (labels[name] !== undefined && labels[name] !== '') kept[name] = labels[name]
  return kept
}

function aggregate({ name, by }: AggregateNode, outcome: Outcome): readonly Judged[] {
  if (typeof outcome === 'number') throw failed(`${name} of a number`)
  const groups = new Map<string, { readonly labels: Labels; readonly values: number[] }>()
  for (const element of outcome) {
    if (element.holds === false) continue
    const labels = only(element.labels, by)
    const key = labelsKey(labels)
    const group = groups.get(key) ?? { labels, values: [] }
    groups.set(key, group)
    group.values.push(element.value)
  }
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const of = {
    sum,
    avg: (values: readonly number[]) => sum(values) / values.length,
    max: (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b)),
    min: (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b)),
    count: (values: readonly number[]) => values.length,
  }[name]
  return [...groups.values()].map(({ labels, values }) => ({ labels, value: of(values) }))
}

const mapped = (outcome: Outcome, change: (value: number) => number): Outcome =>
  typeof outcome === 'number' ? change(outcome) : outcome.map((element) => ({ ...element, value: change(element.value) }))

function not(outcome: Outcome): Outcome {
  if (typeof outcome === 'number') throw failed('not of a number')
  return outcome.map((element) => ({ ...element, holds: !holds(element) }))
}

// --- two sides ---------------------------------------------------------------------------------------------------------

const arithmetic: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
}
const compare: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
}

function binary({ operator, left, right }: BinaryNode, inputs: Inputs): Outcome {
  if (operator === 'and') return narrowed(elements(valueOf(left, inputs)), right, inputs)
  const [a, b] = [valueOf(left, inputs), valueOf(right, inputs)]
  if (operator === 'or') return either(elements(a), elements(b))
  if (!isComparison(operator)) return combined(a, b, arithmetic[operator])
  const test = compare[operator]
  // The value of a comparison is that of the side that is measured, the left one when both are.
  if (typeof a === 'number' && typeof b !== 'number') return b.map((element) => ({ ...element, holds: test(a, element.value) }))
  if (typeof b === 'number') return elements(a).map((element) => ({ ...element, holds: test(element.value, b) }))
  return elements(a).flatMap((element) => {
    const other = counterpart(element, elements(b))
    return other === undefined ? [] : { ...element, holds: test(element.value, other.value) }
  })
}

function elements(outcome: Outcome): readonly Judged[] {
  if (typeof outcome === 'number') throw failed('a number stands where something is to hold')
  return outcome
}

/** Nothing on the right is looked at when nothing on the left holds: rules cost little while all is well. */
function narrowed(left: readonly Judged[], right: Expression, inputs: Inputs): readonly Judged[] {
  if (!left.some(holds)) return left.map((element) => ({ ...element, holds: false }))
  if (right.kind === 'not') return unless(left, elements(valueOf(right.of, inputs)))
  return both(left, elements(valueOf(right, inputs)))
}

function both(left: readonly Judged[], right: readonly Judged[]): readonly Judged[] {
  const held = right.filter(holds)
  return left.map((element) => ({ ...element, holds: holds(element) && held.some((other) => alike(element.labels, other.labels)) }))
}

function unless(left: readonly Judged[], right: readonly Judged[]): readonly Judged[] {
  const held = right.filter(holds)
  return left.map((element) => ({ ...element, holds: holds(element) && !held.some((other) => alike(element.labels, other.labels)) }))
}

/** Of the same label set, the one that holds. */
function either(left: readonly Judged[], right: readonly Judged[]): readonly Judged[] {
  const merged = new Map(left.map((element) => [labelsKey(element.labels), element]))
  for (const element of right) {
    const key = labelsKey(element.labels)
    const known = merged.get(key)
    if (known === undefined || (!holds(known) && holds(element))) merged.set(key, element)
  }
  return [...merged.values()]
}

function combined(a: Outcome, b: Outcome, of: (a: number, b: number) => number): Outcome {
  if (typeof a === 'number' && typeof b === 'number') return of(a, b)
  if (typeof b === 'number') return finite(elements(a).map(({ labels, value }) => ({ labels, value: of(value, b) })))
  if (typeof a === 'number') return finite(b.map(({ labels, value }) => ({ labels, value: of(a, value) })))
  return finite(
    a.flatMap((element) => {
      const other = counterpart(element, b)
      return other === undefined ? [] : { labels: element.labels, value: of(element.value, other.value) }
    }),
  )
}

/** A share of nothing is not a number, and says nothing. */
const finite = (list: readonly Judged[]): readonly Judged[] => list.filter(({ value }) => Number.isFinite(value))

/** The one that belongs to it. Throws when there are several. */
function counterpart({ labels }: Element, others: readonly Judged[]): Judged | undefined {
  const key = labelsKey(labels)
  let found: Judged | undefined
  for (const other of others) {
    if (labelsKey(other.labels) === key) return other
    if (!alike(labels, other.labels)) continue
    if (found !== undefined)
      throw failed(`several elements on the right belong to ${JSON.stringify(labels)}`, 'aggregate the right side with sum(…) by (service)')
    found = other
  }
  return found
}

/** The labels that both have are equal. */
function alike(a: Labels, b: Labels): boolean {
  for (const name in b) {
    const value = a[name]
    if (value !== undefined && value !== b[name]) return false
  }
  return true
}
