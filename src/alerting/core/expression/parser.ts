/**
 * Reads conditions. From the loosest to the tightest: `or`, `and`, `not`, comparisons, `+ -`, `* /`, calls.
 * Whatever is wrong is an error with its place, what was found and what would be right.
 */
import { nearest } from '../../../config/core/words.ts'
import { eventTypes } from '../../../kernel/events.ts'
import { catalogue, metricInfo } from '../../../metrics/core/catalogue.ts'
import { parseMatcher, type Matcher } from '../matchers.ts'
import {
  aggregations,
  comparisons,
  windowFunctions,
  type Aggregation,
  type Expression,
  type LiteralUnit,
  type Operator,
  type SeriesNode,
  type WindowFunction,
} from './ast.ts'
import { Lexer, type Token } from './lexer.ts'

/** Deeper ones nobody can read. */
export const conditionDepthMax = 40
/** Events and history are not kept longer in the grain that windows need. */
export const windowMsMax = 30 * 86_400_000
/** `absent` without a window. */
export const absentDefaultMs = 10_000

const durations: Partial<Record<LiteralUnit, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const functions = [...windowFunctions, 'absent', 'events', 'burn_rate', 'anomaly', 'prometheus']
const words = ['and', 'or', 'not', 'by']

/** Throws `condition_invalid`. */
export function parseCondition(text: string): Expression {
  return new Parser(text).whole()
}

class Parser {
  readonly #lexer: Lexer
  #depth = 0

  constructor(text: string) {
    this.#lexer = new Lexer(text)
  }

  whole(): Expression {
    if (this.#lexer.peek().kind === 'end') throw this.#wrong(this.#lexer.peek(), 'it is empty', 'such as error_rate(shop) > 5%')
    const read = this.#or()
    const rest = this.#lexer.peek()
    if (rest.kind !== 'end')
      throw this.#wrong(rest, `expected "and", "or" or the end, found ${shown(rest)}`, rest.text === ')' ? 'there are more ) than (' : undefined)
    return read
  }

  #or(): Expression {
    return this.#row(() => this.#and(), ['or'])
  }

  #and(): Expression {
    return this.#row(() => this.#not(), ['and'])
  }

  #not(): Expression {
    const { at } = this.#lexer.peek()
    if (!this.#lexer.take('not')) return this.#comparison()
    return this.#deeper(() => ({ kind: 'not', of: this.#not(), at }))
  }

  #comparison(): Expression {
    const left = this.#sum()
    const operator = this.#operator(comparisons)
    if (operator === undefined) {
      const token = this.#lexer.peek()
      if (token.kind === 'sign' && token.text === '=') throw this.#wrong(token, '"=" compares labels only', 'write "=="')
      return left
    }
    const right = this.#sum()
    const next = this.#lexer.peek()
    if (next.kind === 'sign' && comparisons.includes(next.text as Operator))
      throw this.#wrong(next, 'a comparison cannot be compared', 'join two of them with "and"')
    return { kind: 'binary', operator, left, right, at: left.at }
  }

  #sum(): Expression {
    return this.#row(() => this.#product(), ['+', '-'])
  }

  #product(): Expression {
    return this.#row(() => this.#signed(), ['*', '/'])
  }

  #row(part: () => Expression, operators: readonly Operator[]): Expression {
    let left = part()
    for (let count = 0; ; count++) {
      const operator = this.#operator(operators)
      if (operator === undefined) return left
      if (count >= conditionDepthMax) throw this.#wrong(this.#lexer.peek(), `more than ${conditionDepthMax} parts in a row`)
      left = { kind: 'binary', operator, left, right: part(), at: left.at }
    }
  }

  #operator(of: readonly Operator[]): Operator | undefined {
    const found = of.find((operator) => this.#lexer.peek().text === operator && this.#lexer.peek().kind !== 'text')
    if (found !== undefined) this.#lexer.next()
    return found
  }

  #signed(): Expression {
    const { at } = this.#lexer.peek()
    if (!this.#lexer.take('-')) return this.#primary()
    return this.#deeper(() => ({ kind: 'negative', of: this.#signed(), at }))
  }

  #primary(): Expression {
    const token = this.#lexer.peek()
    if (token.kind === 'number') {
      this.#lexer.next()
      return { kind: 'number', value: token.value, unit: token.unit, at: token.at }
    }
    if (token.kind === 'sign' && token.text === '(') {
      this.#lexer.next()
      return this.#deeper(() => {
        const inner = this.#or()
        this.#expect(')')
        return inner
      })
    }
    if (token.kind !== 'name' || words.includes(token.text))
      throw this.#wrong(token, `expected a series, a function or a number, found ${shown(token)}`)
    this.#lexer.next()
    return this.#deeper(() => this.#named(token.text, token.at))
  }

  #named(name: string, at: number): Expression {
    const called = this.#lexer.peek().text === '(' && this.#lexer.peek().kind === 'sign'
    if (called && functions.includes(name)) {
      this.#lexer.next()
      return this.#call(name, at)
    }
    return this.#series(name, at)
  }

  #call(name: string, at: number): Expression {
    switch (name) {
      case 'absent': {
        const of = this.#innerSeries(name)
        const windowMs = this.#lexer.take(',') ? this.#duration() : absentDefaultMs
        this.#expect(')')
        return { kind: 'absent', of, windowMs, at }
      }
      case 'events':
        return this.#events(at)
      case 'burn_rate':
        return this.#burn(at)
      case 'anomaly': {
        const of = this.#innerSeries(name)
        this.#expect(')')
        return { kind: 'anomaly', of, at }
      }
      case 'prometheus': {
        const token = this.#lexer.next()
        if (token.kind !== 'text') throw this.#wrong(token, `expected a query in quotes, found ${shown(token)}`, 'such as prometheus("up == 0")')
        this.#expect(')')
        return { kind: 'prometheus', query: token.value, at }
      }
      default:
        return this.#overWindowOrAll(name, at)
    }
  }

  #overWindowOrAll(name: string, at: number): Expression {
    const of = this.#or()
    if (this.#lexer.take(',')) {
      if (of.kind !== 'series') throw this.#lexer.problem(of.at, 1, `${name} over a window takes a series`, `such as ${name}(p95(shop), 5m)`)
      const windowMs = this.#duration()
      this.#expect(')')
      return { kind: 'window', name: name as WindowFunction, of, windowMs, at }
    }
    this.#expect(')', `such as ${name}(p95(shop), 5m)`)
    const aggregation = aggregations.find((one): one is Aggregation => one === name)
    if (aggregation === undefined) throw this.#lexer.problem(at, name.length, `${name} needs a window`, `such as ${name}(p95(shop), 5m)`)
    return { kind: 'aggregate', name: aggregation, of, by: this.#by(), at }
  }

  #events(at: number): Expression {
    const type = this.#lexer.next()
    if (type.kind !== 'name')
      throw this.#wrong(type, `expected the type of an event, found ${shown(type)}`, 'such as events(instance.exited, shop, 10m)')
    if (!(eventTypes as readonly string[]).includes(type.text))
      throw this.#wrong(type, `there is no event ${JSON.stringify(type.text)}`, didYouMean(type.text, eventTypes))
    const matchers = this.#matchers()
    this.#expect(',', 'a window, such as events(instance.exited, 10m)')
    let subject: string | undefined
    if (this.#lexer.peek().kind !== 'number') {
      subject = this.#subject()
      this.#expect(',', 'then the window, such as 10m')
    }
    const windowMs = this.#duration()
    this.#expect(')')
    return { kind: 'events', type: type.text, subject, matchers, windowMs, by: this.#by(), at }
  }

  #burn(at: number): Expression {
    const subject = this.#lexer.peek().text === ')' ? undefined : this.#subject()
    let window: number | 'fast' | 'slow' = 'fast'
    if (this.#lexer.take(',')) {
      if (this.#lexer.take('slow')) window = 'slow'
      else if (!this.#lexer.take('fast')) window = this.#duration('a window such as 1h, "fast" or "slow"')
    }
    this.#expect(')')
    return { kind: 'burn', subject, window, at }
  }

  #innerSeries(name: string): SeriesNode {
    const token = this.#lexer.next()
    if (token.kind !== 'name') throw this.#wrong(token, `${name} takes a series, found ${shown(token)}`, `such as ${name}(request_rate(shop))`)
    return this.#series(token.text, token.at)
  }

  #series(metric: string, at: number): SeriesNode {
    const info = metricInfo(metric)
    if (info === undefined) {
      const known = [...catalogue.map((one) => one.name), ...functions]
      throw this.#lexer.problem(
        at,
        metric.length,
        `${JSON.stringify(metric)} is no series and no function`,
        didYouMean(metric, known) ?? 'GET /api/infrastructure/metrics/catalogue lists them',
      )
    }
    let subject: string | undefined
    if (this.#lexer.take('(')) {
      const named = this.#lexer.subject()
      if (named === undefined) this.#expect(')', 'a name of a service or check, or *')
      else {
        subject = this.#nameOf(named)
        this.#expect(')')
      }
      if (named !== undefined && subject !== undefined && subjectLabel(metric) === undefined)
        throw this.#lexer.problem(
          named.at,
          subject.length,
          `${metric} is of the ${info.subject === 'machine' ? 'machine' : info.subject}, and takes no name`,
          `write ${metric}`,
        )
    }
    return { kind: 'series', metric, subject, matchers: this.#matchers(), at }
  }

  /** undefined: `*`. */
  #subject(): string | undefined {
    const found = this.#lexer.subject()
    if (found === undefined) {
      const token = this.#lexer.peek()
      throw this.#wrong(token, `expected the name of a service or check, or *, found ${shown(token)}`)
    }
    return this.#nameOf(found)
  }

  #nameOf({ text, at }: { readonly text: string; readonly at: number }): string | undefined {
    if (text === '') throw this.#lexer.problem(at, 2, 'a name is empty')
    return text === '*' ? undefined : text
  }

  #matchers(): readonly Matcher[] {
    if (!this.#lexer.take('{')) return []
    const matchers: Matcher[] = []
    while (!this.#lexer.take('}')) {
      if (matchers.length > 0) this.#expect(',', 'a comma between matchers')
      if (this.#lexer.take('}')) break
      matchers.push(this.#matcher())
    }
    return matchers
  }

  #matcher(): Matcher {
    const label = this.#lexer.next()
    if (label.kind !== 'name') throw this.#wrong(label, `expected the name of a label, found ${shown(label)}`, 'such as {check="db"}')
    const operator = this.#lexer.next()
    if (!['=', '!=', '=~', '!~'].includes(operator.text)) throw this.#wrong(operator, `expected =, !=, =~ or !~, found ${shown(operator)}`)
    const value = this.#lexer.next()
    if (value.kind !== 'text')
      throw this.#wrong(value, `expected a value in quotes, found ${shown(value)}`, `write ${label.text}${operator.text}"${value.text}"`)
    const matcher = { name: label.text, value: value.value, isRegex: operator.text.endsWith('~'), isEqual: operator.text.startsWith('=') }
    if (matcher.isRegex) this.#checkRegex(value)
    return matcher
  }

  #checkRegex(token: Token & { readonly kind: 'text' }): void {
    try {
      parseMatcher(`x=~${JSON.stringify(token.value)}`)
    } catch (error) {
      throw this.#wrong(token, (error as Error).message)
    }
  }

  #by(): readonly string[] {
    if (!this.#lexer.take('by')) return []
    this.#expect('(')
    const labels: string[] = []
    while (!this.#lexer.take(')')) {
      if (labels.length > 0) this.#expect(',')
      const label = this.#lexer.next()
      if (label.kind !== 'name') throw this.#wrong(label, `expected the name of a label, found ${shown(label)}`)
      labels.push(label.text)
    }
    return labels
  }

  #duration(expected = 'a duration such as 5m'): number {
    const token = this.#lexer.next()
    const factor = token.kind === 'number' ? durations[token.unit] : undefined
    if (token.kind !== 'number' || factor === undefined) throw this.#wrong(token, `expected ${expected}, found ${shown(token)}`)
    const windowMs = token.value * factor
    if (windowMs < 1 || windowMs > windowMsMax || !Number.isInteger(windowMs)) throw this.#wrong(token, 'a window is from 1ms to 30d long')
    return windowMs
  }

  #expect(sign: string, hint?: string): void {
    const token = this.#lexer.peek()
    if (token.kind !== 'sign' || token.text !== sign) throw this.#wrong(token, `expected ${JSON.stringify(sign)}, found ${shown(token)}`, hint)
    this.#lexer.next()
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > conditionDepthMax) throw this.#wrong(this.#lexer.peek(), `it is nested more than ${conditionDepthMax} deep`)
    const result = read()
    this.#depth--
    return result
  }

  #wrong(token: Token, what: string, hint?: string): Error {
    return this.#lexer.problem(token.at, token.text.length, what, hint)
  }
}

const shown = (token: Token): string => (token.kind === 'end' ? 'the end' : JSON.stringify(token.text))

function didYouMean(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known)
  return near === undefined ? undefined : `did you mean "${near}"?`
}

/** Which label the name in parentheses is; undefined: there is nothing to name. */
export function subjectLabel(metric: string): 'service' | 'check' | undefined {
  switch (metricInfo(metric)?.subject) {
    case 'check':
      return 'check'
    case 'machine':
    case 'control':
    case 'proxy':
    case 'cache':
      return undefined
    default:
      return 'service'
  }
}
