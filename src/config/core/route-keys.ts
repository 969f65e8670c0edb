/** The declaration of the further conditions of a route, and what no single key of it can know. */
import { conditionsKey, conditionsMax, type RouteConditions } from '../../balancer/core/route-conditions.ts'
import { headerName } from './addresses.ts'
import type { Report } from './checks.ts'
import { text } from './scalars.ts'
import { map, object, optional, type Draft, type Scalar, type Value } from './schema.ts'

const cookieName = text('cookie', { expected: 'the name of a cookie', matching: /^[!#$%&'*+.^`|~\w-]{1,64}$/ })
const parameterName = text('parameter', { max: 128, expected: 'the name of a query parameter', matching: /^\P{Cc}+$/u })
const pattern: Scalar<string> = text('pattern', {
  max: 256,
  expected: 'a value, a beginning such as beta-*, or * for any',
  matching: /^(?:[\x20-\x7e]*[\x21-\x7e])?$/,
})

/** Conditions by name. */
export const routeWhen = object({
  headers: optional(map('header', headerName, pattern), { doc: 'Headers that the request must have: `{ x-beta: "1" }`.', without: 'none' }),
  cookies: optional(map('cookie', cookieName, pattern), { doc: 'Cookies that it must have.', without: 'none' }),
  query: optional(map('parameter', parameterName, pattern), { doc: 'Query parameters that it must have, decoded.', without: 'none' }),
})

/** Header names in lower case; only what is there. */
export function toWhen(when: RouteConditions | undefined): RouteConditions | undefined {
  if (when === undefined) return undefined
  const { headers, cookies, query } = when
  const lower = headers && Object.fromEntries(Object.entries(headers).map(([name, pattern]) => [name.toLowerCase(), pattern]))
  return { ...(lower && { headers: lower }), ...(cookies && { cookies }), ...(query && { query }) }
}

type When = Draft<Value<typeof routeWhen>>

export function checkWhen(path: string, when: When, report: Report): void {
  if (when === undefined) return
  const count = [when.headers, when.cookies, when.query].reduce((sum, each) => sum + Object.keys(each ?? {}).length, 0)
  if (count === 0 && !report.given(`${path}.headers`) && !report.given(`${path}.cookies`) && !report.given(`${path}.query`)) {
    report.keyProblem(path, { message: 'has no condition', hint: 'write headers, cookies or query below it, or leave it out' })
  }
  if (count > conditionsMax) report.keyProblem(path, { message: `has ${count} conditions`, hint: `a route may have at most ${conditionsMax}` })
}

/** Equal: exactly the same conditions. Of what was misunderstood, nothing is said. */
export const whenKey = (when: When): string => conditionsKey(toWhen(when as RouteConditions | undefined))
