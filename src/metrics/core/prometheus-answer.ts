/** What Prometheus answers to a query, made samples and series. Source: Prometheus docs, "HTTP API", "Expression query result formats". */
import { HoldfastError } from '../../kernel/errors.ts'
import type { Labels } from '../../kernel/labels.ts'
import type { Point, Sample, Series } from '../types.ts'

type Json = unknown

/** Series of one answer that are read; what asks for more asks for too much. */
export const answerSeriesMax = 10_000

export function samplesOf(answer: Json): Sample[] {
  const { type, result } = dataOf(answer)
  switch (type) {
    case 'scalar':
      return sampleOf({}, result)
    case 'vector':
      return listOf(result).flatMap((one) => sampleOf(fieldOf(one, 'metric'), fieldOf(one, 'value')))
    case 'matrix':
      throw wrongAnswer('the expression gives a range of samples; wrap it in a function such as rate() or avg_over_time()')
    default:
      throw wrongAnswer(`the expression gives a ${type}, not numbers`)
  }
}

export function seriesOf(answer: Json): Series[] {
  const { type, result } = dataOf(answer)
  if (type !== 'matrix') throw wrongAnswer(`the answer to a range query is a ${type}`)
  return listOf(result).map((one) => {
    const { metric, labels } = named(fieldOf(one, 'metric'))
    return { metric, labels, points: listOf(fieldOf(one, 'values')).flatMap(pointOf) }
  })
}

/** Why it refused, in its own words; undefined: it did not. */
export function refusalOf(answer: Json): { readonly type: string; readonly reason: string } | undefined {
  if (fieldOf(answer, 'status') !== 'error') return undefined
  return { type: textOf(fieldOf(answer, 'errorType')), reason: textOf(fieldOf(answer, 'error')) }
}

function dataOf(answer: Json): { type: string; result: Json } {
  const data = fieldOf(answer, 'data')
  if (fieldOf(answer, 'status') !== 'success' || data === undefined) {
    throw new HoldfastError('prometheus_unreachable', 'what answered is not a Prometheus server', { hint: 'look at its address' })
  }
  return { type: textOf(fieldOf(data, 'resultType')), result: fieldOf(data, 'result') }
}

function sampleOf(labels: Json, value: Json): Sample[] {
  return pointOf(value).map(({ last }) => ({ ...named(labels), value: last }))
}

/** `[seconds, "number"]`; none of what is no number. */
function pointOf(pair: Json): Point[] {
  const [seconds, text] = listOf(pair)
  if (typeof seconds !== 'number' || typeof text !== 'string') throw wrongAnswer('a sample in it is not a time and a number')
  const value = text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text)
  if (Number.isNaN(value)) return []
  return [{ at: Math.round(seconds * 1_000), mean: value, min: value, max: value, last: value, count: 1 }]
}

function named(labels: Json): { metric: string; labels: Labels } {
  if (typeof labels !== 'object' || labels === null) throw wrongAnswer('a series in it has no labels')
  const { __name__: metric = '', ...rest } = Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, textOf(value)]))
  return { metric, labels: rest }
}

function listOf(value: Json): readonly Json[] {
  if (!Array.isArray(value)) throw wrongAnswer('something in it is not a list')
  if (value.length > answerSeriesMax) throw wrongAnswer(`it has ${value.length} parts, more than ${answerSeriesMax}`)
  return value as readonly Json[]
}

const fieldOf = (value: Json, name: string): Json => (typeof value === 'object' && value !== null ? (value as Record<string, Json>)[name] : undefined)
const textOf = (value: Json): string => (typeof value === 'string' ? value : String(value))

const wrongAnswer = (why: string): HoldfastError =>
  new HoldfastError('prometheus_query', `the answer of Prometheus is of no use: ${why}`, { details: { reason: why } })
