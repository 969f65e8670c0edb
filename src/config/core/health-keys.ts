/** The declaration of a service's probe, and what no single key of it can know. */
import { minutes, ms, seconds } from '../../kernel/time.ts'
import { probePath, statusRange } from './addresses.ts'
import type { Report } from './checks.ts'
import { boolean, duration, filled, integer, text, timeout } from './scalars.ts'
import { key, object, optional } from './schema.ts'

export const health = object(
  {
    path: optional(probePath, { doc: 'What is asked for with GET, over HTTP/2 where `origin.protocol` is `h2`.', without: 'one of `path` and `grpc` is required' }),
    grpc: optional(text('service name', { max: 256, expected: 'a name such as shop.Orders, or ""', matching: /^[\w./-]*$/ }), {
      doc: 'Asks by the health protocol of gRPC (`grpc.health.v1.Health/Check`) for this service; `""`: for the server as a whole.',
      without: 'one of `path` and `grpc` is required',
    }),
    interval: key(duration(ms(10), minutes(60)), {
      doc: 'From one probe to the next. A probe that takes longer than this delays the next one.',
      default: seconds(2),
    }),
    timeout: key(timeout, { doc: 'No answer by then is a failure. It may be longer than the interval.', default: seconds(1) }),
    fall: key(integer(1, 100), { doc: 'Failures in a row until it is unhealthy.', default: 3 }),
    rise: key(integer(1, 100), { doc: 'Passes in a row until it is healthy again. A new instance needs one.', default: 2 }),
    agent: key(boolean, {
      doc: 'Endpoints may ask for less in the field `Holdfast-State` of their answers: `drain`, `maint`, `down`, `50%`, `maxconn:20`, and take it back. The field is not passed on. Not for services that pass on the answers of others.',
      default: false,
    }),
    expect: key(
      object({
        status: key(statusRange, { doc: 'Answers that pass.', default: { min: 200, max: 399 } }),
        body: optional(filled('text', 'a text'), { doc: 'A text that the answer must contain.', without: 'any' }),
      }),
      { doc: 'What passes.' },
    ),
  },
  { short: ['path'] },
)

/** `http2`: its endpoints speak it. */
export function checkHealth(path: string, http2: boolean, report: Report): void {
  const given = (name: string): boolean => report.given(`${path}.${name}`)
  if (given('path') && given('grpc')) {
    report.keyProblem(`${path}.grpc`, { message: 'cannot be combined with path', hint: 'leave one of them out' })
  } else if (!given('path') && !given('grpc')) {
    report.keyProblem(path, { message: 'has nothing to ask for', hint: 'give it a path that begins with "/", or grpc' })
  } else if (given('grpc') && !http2) {
    report.keyProblem(`${path}.grpc`, { message: 'needs endpoints that speak HTTP/2', hint: 'set origin: { protocol: h2 }' })
  } else if (given('grpc') && given('expect')) {
    report.keyProblem(`${path}.expect`, { message: 'means nothing with grpc, whose answer says whether it serves', hint: 'leave it out' })
  }
}
