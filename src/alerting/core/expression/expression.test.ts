import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../../kernel/errors.ts'
import { FakeSeries, inputsOf } from '../../testing/fake-series.ts'
import { catalogue } from '../../../metrics/core/catalogue.ts'
import type { Matcher } from '../matchers.ts'
import { aggregations, literalUnits, windowFunctions, type Expression } from './ast.ts'
import { compileCondition } from './condition.ts'
import { evaluateCondition } from './evaluate.ts'
import { parseCondition } from './parser.ts'
import { printCondition } from './print.ts'
import { subjectLabel } from './parser.ts'

const second = 1_000

function evaluated(text: string, fill: (series: FakeSeries) => void, now = 600 * second): readonly (readonly [string, number])[] {
  const series = new FakeSeries()
  fill(series)
  return evaluateCondition(compileCondition(text).expression, inputsOf(series, now)).map(({ labels, value }) => [
    Object.values(labels).join('/'),
    Number(value.toFixed(6)),
  ])
}

const problem = (text: string): string => {
  try {
    compileCondition(text)
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    return `${error.message.replace(/^tried to read the condition ".*": at /s, '')}${error.hint === undefined ? '' : `; ${error.hint}`}`
  }
  return 'no problem'
}

describe('a condition', () => {
  it('compares what is measured with a number in its unit', () => {
    const fill = (series: FakeSeries): void => {
      series.now('error_rate', { service: 'shop' }, 0.07).now('error_rate', { service: 'auth' }, 0.01)
      series.now('p95', { service: 'shop' }, 300).now('machine_disk', {}, 85)
      series
        .now('instance_memory', { service: 'shop', instance: 'shop-1' }, 500 * 1024 ** 2)
        .now('instance_memory', { service: 'auth', instance: 'auth-1' }, 1024)
    }
    expect(evaluated('error_rate(shop) > 5%', fill)).toEqual([['shop', 0.07]])
    expect(evaluated('error_rate > 0.5%', fill)).toEqual([
      ['shop', 0.07],
      ['auth', 0.01],
    ])
    expect(evaluated('p95(shop) > 0.25s', fill)).toEqual([['shop', 300]])
    expect(evaluated('p95(shop) > 301', fill)).toEqual([])
    expect(evaluated('machine_disk >= 85%', fill)).toEqual([['', 85]])
    expect(evaluated('instance_memory > 400MiB', fill)).toEqual([['shop/shop-1', 500 * 1024 ** 2]])
    expect(evaluated('5% < error_rate(*)', fill)).toEqual([['shop', 0.07]])
    expect(evaluated('instance_memory{instance=~"auth.*"} > 1B', fill)).toEqual([['auth/auth-1', 1024]])
  })

  it('joins two sides by the labels that both have', () => {
    const fill = (series: FakeSeries): void => {
      for (const [service, ready, desired] of [
        ['shop', 1, 2],
        ['auth', 3, 3],
      ] as const)
        series.now('ready', { service }, ready).now('desired', { service }, desired)
      series.now('instance_memory', { service: 'shop', instance: 'a' }, 10).now('instance_memory', { service: 'auth', instance: 'b' }, 10)
    }
    expect(evaluated('ready(*) < desired(*)', fill)).toEqual([['shop', 1]])
    expect(evaluated('instance_memory > 1 and ready < desired', fill)).toEqual([['shop/a', 10]])
    expect(evaluated('instance_memory > 1 and not ready < desired', fill)).toEqual([['auth/b', 10]])
    expect(evaluated('not ready < desired', fill)).toEqual([['auth', 3]])
    expect(evaluated('ready(shop) > 5 or desired(shop) == 2', fill)).toEqual([['shop', 2]])
    expect(evaluated('ready / desired < 60%', fill)).toEqual([['shop', 0.5]])
    expect(evaluated('sum(instance_memory) >= 20', fill)).toEqual([['', 20]])
    expect(evaluated('max(instance_memory) by (service) >= 10', fill)).toHaveLength(2)
    expect(evaluated('(ready(shop) + desired(shop)) * 2 - 1 == 5', fill)).toEqual([['shop', 5]])
    expect(evaluated('-ready(shop) < 0', fill)).toEqual([['shop', -1]])
    expect(evaluated('unavailable', (series) => series.now('unavailable', { service: 'a' }, 1).now('unavailable', { service: 'b' }, 0))).toEqual([
      ['a', 1],
    ])
  })

  it('says when several elements on the right could be meant', () => {
    const fill = (series: FakeSeries): void => {
      series
        .now('ready', { service: 'a' }, 1)
        .now('instance_cpu', { service: 'a', instance: '1' }, 1)
        .now('instance_cpu', { service: 'a', instance: '2' }, 1)
    }
    expect(() => evaluated('ready * instance_cpu > 0', fill)).toThrow('several elements on the right')
  })

  it('looks back over windows', () => {
    const fill = (series: FakeSeries): void => {
      for (let at = 0; at <= 600; at++) series.at(at * second, 'p95', { service: 'shop' }, at)
    }
    expect(evaluated('avg(p95(shop), 1m) > 1s', fill)).toEqual([])
    expect(evaluated('avg(p95(shop), 1m) > 1ms', fill)).toEqual([['shop', 570.5]])
    expect(evaluated('max(p95(shop), 1m) > 0', fill)).toEqual([['shop', 600]])
    expect(evaluated('min(p95(shop), 1m) > 0', fill)).toEqual([['shop', 541]])
    expect(evaluated('sum(p95(shop), 2s) > 0', fill)).toEqual([['shop', 1199]])
    expect(evaluated('count(p95(shop), 10s) > 0', fill)).toEqual([['shop', 10]])
    expect(evaluated('last(p95(shop), 10s) > 0', fill)).toEqual([['shop', 600]])
    expect(evaluated('delta(p95(shop), 11s) > 0', fill)).toEqual([['shop', 10]])
    expect(evaluated('rate(p95(shop), 10s) > 0', fill)).toEqual([['shop', 1]])
    expect(evaluated('absent(p95(shop), 2m)', fill)).toEqual([])
    expect(evaluated('absent(p95(auth), 2m)', fill)).toEqual([['auth', 1]])
    expect(evaluated('absent(check_up{check="db"}, 2m)', fill)).toEqual([['db', 1]])
  })

  it('misses nothing before it has looked for as long', () => {
    const series = new FakeSeries()
    expect(
      evaluateCondition(compileCondition('absent(p95(shop), 2m)').expression, { ...inputsOf(series, 600 * second), since: 500 * second }),
    ).toEqual([])
  })

  it('counts events', () => {
    const series = new FakeSeries()
    const exited = (at: number, service: string, instance: string, kind: string) => ({
      at: at * second,
      type: 'instance.exited',
      labels: { service, instance, class: kind },
    })
    const events = [
      exited(1, 'shop', 'a', 'crash'),
      exited(590, 'shop', 'a', 'crash'),
      exited(595, 'shop', 'b', 'crash'),
      exited(600, 'auth', 'c', 'ordered'),
    ]
    const run = (text: string) =>
      evaluateCondition(compileCondition(text).expression, {
        ...inputsOf(series, 600 * second),
        events: (type, from, to) => events.filter((one) => one.type === type && one.at > from && one.at <= to),
      })
    expect(run('events(instance.exited, shop, 1m) >= 2')).toEqual([{ labels: { service: 'shop' }, value: 2 }])
    expect(run('events(instance.exited{class!="ordered"}, *, 1m) by (service, instance) >= 1')).toEqual([
      { labels: { service: 'shop', instance: 'a' }, value: 1 },
      { labels: { service: 'shop', instance: 'b' }, value: 1 },
    ])
    expect(run('events(instance.exited, 10m) > 2')).toEqual([{ labels: { service: 'shop' }, value: 3 }])
  })

  it('measures how fast a budget burns, and needs both windows and ten failures', () => {
    const fill =
      (bad: (at: number) => number) =>
      (series: FakeSeries): void => {
        for (let at = 0; at <= 600; at += 5)
          series.at(at * second, 'requests_good', { service: 'shop' }, 100 - bad(at)).at(at * second, 'requests_bad', { service: 'shop' }, bad(at))
      }
    expect(
      evaluated(
        'burn_rate(shop, 5m) > 1',
        fill(() => 2),
      ),
    ).toEqual([['shop', 20]])
    expect(
      evaluated(
        'burn_rate(shop)',
        fill(() => 2),
      ),
    ).toEqual([['shop', 20]])
    expect(
      evaluated(
        'burn_rate(shop)',
        fill(() => 1),
      ),
    ).toEqual([['shop', 10]])
    expect(
      evaluated(
        'burn_rate(shop)',
        fill((at) => (at < 100 ? 3 : 0)),
      ),
    ).toEqual([])
    expect(
      evaluated(
        'burn_rate(*, slow)',
        fill(() => 1),
      ),
    ).toEqual([['shop', 10]])
    expect(
      evaluated('burn_rate(shop)', (series) => series.now('requests_bad', { service: 'shop' }, 9).now('requests_good', { service: 'shop' }, 0)),
    ).toEqual([])
  })

  it('is refused with its place and what would be right', () => {
    expect(problem('')).toBe('character 1: it is empty; such as error_rate(shop) > 5%')
    expect(problem('error_rat(shop) > 5%')).toBe('character 1: "error_rat" is no series and no function; did you mean "error_rate"?')
    expect(problem('error_rate(shop > 5%')).toBe('character 17: expected ")", found ">"')
    expect(problem('p95(shop) > 250 ms')).toBe('character 17: expected "and", "or" or the end, found "ms"')
    expect(problem('p95(shop) > 400MiB')).toBe(
      'character 13: 400MiB is a size, and what it stands beside is in ms; write a plain number or a time such as 250ms',
    )
    expect(problem('instance_memory > 400MB')).toBe('character 19: "MB" is no unit; write 400MiB')
    expect(problem('error_rate > 5')).toBe('character 14: a ratio is from 0 to 1, and never 5; write 5%')
    expect(problem('p95(shop) > instance_memory(shop)')).toMatch(/left of ">" is in ms, what is right of it in bytes/)
    expect(problem('p95(shop) = 5')).toBe('character 11: "=" compares labels only; write "=="')
    expect(problem('1 < ready < 3')).toBe('character 11: a comparison cannot be compared; join two of them with "and"')
    expect(problem('machine_cpu(shop) > 1')).toBe('character 13: machine_cpu is of the machine, and takes no name; write machine_cpu')
    expect(problem('events(instance.exitd, 5m) > 1')).toBe('character 8: there is no event "instance.exitd"; did you mean "instance.exited"?')
    expect(problem('avg(p95(shop), soon) > 1')).toBe('character 16: expected a duration such as 5m, found "soon"')
    expect(problem('rate(p95) > 1')).toBe('character 1: rate needs a window; such as rate(p95(shop), 5m)')
    expect(problem('prometheus("up") > 5m')).toMatch(/5m is a time, and what it stands beside has no unit/)
    expect(problem('ready && desired')).toBe('character 7: "&" means nothing here; write "and"')
    expect(problem('ready > 1\n  and desird > 2')).toBe('line 2, character 7: "desird" is no series and no function; did you mean "desired"?')
    expect(problem('check_up{check=db} == 0')).toBe('character 16: expected a value in quotes, found "db"; write check="db"')
    expect(problem('1 > 2')).toBe('character 1: nothing in it is measured; name a series, such as error_rate(shop) > 5%')
    expect(problem('('.repeat(100))).toMatch(/nested more than 40 deep/)
  })
})

const label = fc.constantFrom('service', 'instance', 'check', 'region')
const matcher: fc.Arbitrary<Matcher> = fc.record({
  name: label,
  value: fc.oneof(
    fc.constantFrom('a', 'b.*', ''),
    fc.string({ maxLength: 5 }).map((text) => text.replaceAll(/[()[\]{}?*+|^$\\]/g, '')),
  ),
  isRegex: fc.boolean(),
  isEqual: fc.boolean(),
})
const matchers = fc.array(matcher, { maxLength: 2 })
const subject = fc.option(fc.constantFrom('shop', 'a-b', 'with space', '9'), { nil: undefined })
const windowMs = fc.constantFrom(1, 1_000, 90_000, 300_000, 3_600_000, 86_400_000)
const by = fc.uniqueArray(label, { maxLength: 2 })
const series = fc
  .record({
    kind: fc.constant('series' as const),
    metric: fc.constantFrom(...catalogue.map(({ name }) => name)),
    subject,
    matchers,
    at: fc.constant(0),
  })
  .map((node) => ({ ...node, subject: subjectLabel(node.metric) === undefined ? undefined : node.subject }))
const { node: tree } = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    series,
    fc.record({
      kind: fc.constant('number' as const),
      value: fc.oneof(fc.nat(1_000), fc.double({ min: 0, max: 1e25, noNaN: true, noDefaultInfinity: true }).map(Math.abs)),
      unit: fc.constantFrom(...literalUnits),
      at: fc.constant(0),
    }),
    fc.record({ kind: fc.constant('window' as const), name: fc.constantFrom(...windowFunctions), of: series, windowMs, at: fc.constant(0) }),
    fc.record({ kind: fc.constant('absent' as const), of: series, windowMs, at: fc.constant(0) }),
    fc.record({
      kind: fc.constant('events' as const),
      type: fc.constantFrom('instance.exited', 'config.applied'),
      subject,
      matchers,
      windowMs,
      by,
      at: fc.constant(0),
    }),
    fc.record({
      kind: fc.constant('burn' as const),
      subject,
      window: fc.oneof(windowMs, fc.constantFrom('fast' as const, 'slow' as const)),
      at: fc.constant(0),
    }),
    fc.record({ kind: fc.constant('anomaly' as const), of: series, at: fc.constant(0) }),
    fc.record({ kind: fc.constant('prometheus' as const), query: fc.string({ maxLength: 8 }), at: fc.constant(0) }),
    fc.record({ kind: fc.constant('aggregate' as const), name: fc.constantFrom(...aggregations), of: tie('node'), by, at: fc.constant(0) }),
    fc.record({ kind: fc.constantFrom('not' as const, 'negative' as const), of: tie('node'), at: fc.constant(0) }),
    fc.record({
      kind: fc.constant('binary' as const),
      operator: fc.constantFrom(
        '>' as const,
        '<=' as const,
        '==' as const,
        '+' as const,
        '-' as const,
        '*' as const,
        '/' as const,
        'and' as const,
        'or' as const,
      ),
      left: tie('node'),
      right: tie('node'),
      at: fc.constant(0),
    }),
  ),
}))
const withoutPlaces = (node: unknown): unknown => JSON.parse(JSON.stringify(node, (key, value: unknown) => (key === 'at' ? undefined : value)))

describe('conditions of all kinds', () => {
  it('are the same when printed and read again', () => {
    fc.assert(
      fc.property(tree, (node) => {
        expect(withoutPlaces(parseCondition(printCondition(node)))).toEqual(withoutPlaces(node))
      }),
      { numRuns: 500 },
    )
  })

  it('throw nothing but errors that tell the place, whatever the text', () => {
    const pieces = fc.constantFrom(
      'p95',
      '(',
      ')',
      'shop',
      '>',
      '5%',
      'and',
      'not',
      'events(',
      'instance.exited',
      ',',
      '5m',
      '{',
      '}',
      '"',
      'by',
      '-',
      '1e',
      '=~',
      '[',
      '\\',
      '\n',
      'avg(',
      'burn_rate(',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((list) => list.join(' ')),
          tree.map(printCondition),
        ),
        (text) => {
          try {
            compileCondition(text)
          } catch (error) {
            expect(error).toBeInstanceOf(HoldfastError)
            expect((error as HoldfastError).code).toBe('condition_invalid')
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
