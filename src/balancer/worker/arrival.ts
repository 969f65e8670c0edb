/** A request that has just been read, on its way to a route: what it is called, where it goes, and what it is answered when it goes nowhere. */
import { challengeAnswer } from '../core/acme-challenge.ts'
import { routingPath, strippedTarget } from '../core/request-path.ts'
import type { ListenerRoutes, Route } from '../core/routes.ts'
import { text } from '../http1/bytes.ts'
import { fieldText, several, type Head } from '../http1/head.ts'
import { hasVia, type RequestFacts } from '../http1/request.ts'
import type { Answer } from './answers.ts'
import { conditionReading } from './condition-reading.ts'
import type { ServiceRuntime } from './service.ts'
import type { Worker } from './worker.ts'

const notRouted: Answer = { status: 404, error: 'destination_not_found', message: 'no service is routed here' }
const looped: Answer = { status: 502, error: 'proxy_loop_detected', message: 'this request has passed through this proxy before' }

const notServed = (method: string): Answer => ({
  status: 405,
  error: 'http_request_denied',
  message: `${method} is not served here`,
  allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
})

/** A client's own id is kept when it is harmless: it ties our logs to the caller's. undefined: it has none such. */
export function givenRequestId(head: Head, input: Buffer): string | undefined {
  if (head.requestId < 0 || head.requestId === several) return undefined
  const given = fieldText(head, input, head.requestId)
  return /^[A-Za-z0-9._:+=/-]{1,128}$/.test(given) ? given : undefined
}

/** What it is answered whatever its route. `secure`: it came over TLS. */
export function answerBeforeRoutes(worker: Worker, head: Head, input: Buffer, facts: RequestFacts, secure: boolean): Answer | undefined {
  if (head.method === 'CONNECT' || head.method === 'TRACE') return notServed(head.method)
  if (hasVia(head, input, worker.pseudonym)) return looped
  const challenges = worker.view?.challenges
  return challenges === undefined || secure ? undefined : answerToChallenge(head, input, facts, challenges)
}

/** An authority asks whether a name is ours (RFC 8555 §8.3); what is not known goes the way of all requests. */
function answerToChallenge(head: Head, input: Buffer, facts: RequestFacts, challenges: Readonly<Record<string, string>>): Answer | undefined {
  const body = challengeAnswer(targetOf(head, input, facts), challenges)
  return body === undefined ? undefined : { status: 200, error: undefined, message: '', page: { contentType: 'text/plain', body } }
}

const targetOf = (head: Head, input: Buffer, facts: RequestFacts): string => facts.target ?? text(input, head.targetStart, head.targetEnd)

/** Its route, or the answer that says why there is none; that is counted. */
export function routeOf(
  worker: Worker,
  routes: ListenerRoutes<ServiceRuntime> | undefined,
  head: Head,
  input: Buffer,
  facts: RequestFacts,
): Route<ServiceRuntime> | Answer {
  const target = targetOf(head, input, facts)
  const path = target === '*' ? '/' : routingPath(target)
  const match = routes?.find(facts.host, path, head.method, conditionReading(target, head, input)) ?? 'noRoute'
  if (match === 'noRoute') {
    worker.countRefused('no_route')
    return notRouted
  }
  if (!('allowed' in match)) return match
  worker.countRefused('method_not_allowed')
  return { status: 405, error: 'http_request_denied', message: `${head.method} is not routed here`, allow: match.allowed.join(', ') }
}

/** As the service gets it; undefined: as it came. */
export function forwardedTarget(route: Route<ServiceRuntime>, head: Head, input: Buffer, facts: RequestFacts): string | undefined {
  if (!route.stripPath || route.path === '/') return facts.target
  const target = targetOf(head, input, facts)
  return target === '*' ? target : strippedTarget(target, route.path)
}
