/** The declaration of sessions and splits, what no single key of them can know, and the way to the configuration. */
import { minutes, seconds } from '../../kernel/time.ts'
import type { Report } from './checks.ts'
import { boolean, duration, filled, percent, rateLimitKey, text } from './scalars.ts'
import { key, map, object, optional, type Draft, type Scalar, type Value } from './schema.ts'
import { writePercent } from './units.ts'

const cookieName: Scalar<string> = text('cookie', { expected: 'the name of a cookie such as hf_shop', matching: /^[!#$%&'*+.^`|~\w-]{1,64}$/ })

/** A label that `version` and the shares of `split` have in common. */
export const versionName: Scalar<string> = filled('text', 'a version such as v1.2.0', { max: 64 })

export const sticky = object(
  {
    cookie: key(cookieName, { doc: 'The cookie that names the endpoint. It is signed, given by the balancer, and not shown to the service.' }),
    ttl: optional(duration(seconds(1), minutes(400 * 24 * 60)), { doc: 'A client that does not come back for so long is forgotten.', without: 'as long as the browser is open' }),
    drain: key(boolean, {
      doc: 'Clients of an endpoint that is drained stay there until its deadline. Draining then always takes all of `stop.timeout`. Else they move at once.',
      default: false,
    }),
  },
  { short: ['cookie'] },
)

export const splitKeys = {
  split: optional(map('version', versionName, percent, { min: 1 }), {
    doc: 'Share of the clients by `version` of the endpoints: `{ v1: 95%, v2: 5% }`. The same client, the same side.',
    without: 'by the weights of the endpoints',
    change: 'routing',
  }),
  splitBy: optional(rateLimitKeyWithoutService(), {
    doc: 'What tells clients of a split apart: `client-ip` (IPv6: its /64; `trustedProxies` may speak for others), `header:NAME` or `cookie:NAME` (without one: the address).',
    without: '`client-ip`',
    change: 'routing',
  }),
} as const

export type SplitKey = Exclude<Value<typeof rateLimitKey>, { readonly by: 'service' }>

function rateLimitKeyWithoutService(): Scalar<SplitKey> {
  return {
    ...rateLimitKey,
    name: '`client-ip`, `header:NAME` or `cookie:NAME`',
    expected: 'client-ip, header:NAME or cookie:NAME',
    read(text) {
      const value = rateLimitKey.read(text)
      return value === undefined || value.by === 'service' ? undefined : value
    },
  }
}

/** `versions`: of the endpoints that are known beforehand. */
export function checkSplit(path: string, split: Draft<Readonly<Record<string, number>>>, versions: readonly string[] | undefined, report: Report): void {
  const shares = Object.values(split ?? {})
  if (split === undefined || shares.includes(undefined)) return
  const sum = shares.reduce<number>((total, share) => total + (share ?? 0), 0)
  if (Math.abs(sum - 1) > 1e-6) report.keyProblem(path, { message: `the shares are ${writePercent(sum)} in all`, hint: 'they must be 100% together' })
  for (const version of Object.keys(split)) {
    if (versions === undefined || versions.includes(version) || split[version] === 0) continue
    const known = versions.length === 0 ? 'give the endpoints a version: { address, version }' : `known: ${versions.join(', ')}`
    report.keyProblem(`${path}.${version}`, { message: `no endpoint has the version ${version}`, hint: known })
  }
}
