/**
 * What a route may ask of a request besides host, path and method: headers, cookies and query parameters, each with one value (`1`), a beginning
 * (`beta-*`) or any (`*`). All of them must hold. A name that comes several times holds when one of its values does.
 */
import { cookieValues } from './sessions/cookies.ts'

export interface RouteConditions {
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly cookies?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, string>> | undefined
}

/** A request, as conditions read it. */
export interface ConditionReading {
  /** In origin form, with its query. */
  readonly target: string
  /** The values of all fields with this lower-case name. */
  values(name: string): readonly string[]
}

export interface Conditions {
  /** The more conditions the heavier, and then the more exact. */
  readonly weight: number
  hold(request: ConditionReading): boolean
}

type Test = (value: string) => boolean

interface Pattern {
  readonly test: Test
  /** Below the weight of one condition more, whatever their number. */
  readonly exactness: number
}

/** A route has at most so many. */
export const conditionsMax = 16

function patternOf(text: string): Pattern {
  if (text === '*') return { test: () => true, exactness: 0 }
  if (!text.endsWith('*')) return { test: (value) => value === text, exactness: 2 }
  const prefix = text.slice(0, -1)
  return { test: (value) => value.startsWith(prefix), exactness: 1 }
}

/** undefined: there are none. */
export function compileConditions(when: RouteConditions | undefined): Conditions | undefined {
  if (when === undefined) return undefined
  const checks: ((request: ConditionReading) => boolean)[] = []
  let exactness = 0
  const add = (
    patterns: Readonly<Record<string, string>> | undefined,
    valuesOf: (request: ConditionReading, name: string) => readonly string[],
  ): void => {
    for (const [name, text] of Object.entries(patterns ?? {})) {
      const pattern = patternOf(text)
      exactness += pattern.exactness
      checks.push((request) => valuesOf(request, name).some(pattern.test))
    }
  }
  add(when.headers, (request, name) => request.values(name))
  add(when.cookies, (request, name) => request.values('cookie').flatMap((field) => cookieValues(field, name)))
  add(when.query, (request, name) => queryValues(request.target, name))
  if (checks.length === 0) return undefined
  return { weight: checks.length * (2 * conditionsMax + 1) + exactness, hold: (request) => checks.every((check) => check(request)) }
}

/** The values of a query parameter, decoded. */
export function queryValues(target: string, name: string): readonly string[] {
  const mark = target.indexOf('?')
  return mark < 0 ? [] : new URLSearchParams(target.slice(mark + 1)).getAll(name)
}

/** Equal texts: exactly the same conditions. */
export const conditionsKey = (when: RouteConditions | undefined): string =>
  JSON.stringify([when?.headers, when?.cookies, when?.query].map((each) => Object.entries(each ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))))
