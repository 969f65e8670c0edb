/** Sends clients elsewhere: to HTTPS, to the host with or without `www.`, or where a rule says. */
import type { RedirectRule } from '../../../config/types.ts'
import { strippedTarget } from '../request-path.ts'
import type { Guard, RequestReading, RuleAnswer } from './reading.ts'

/** `routePath`: the prefix of the route, which `{rest}` leaves out. `isSecure`: whether the client came over TLS, by all we know. */
export function redirectGuard(rule: RedirectRule, routePath: string, isSecure: (request: RequestReading) => boolean): Guard {
  return (request) => {
    const to = rule.to === undefined ? canonical(rule, request, isSecure(request)) : filledIn(rule.to, request, routePath)
    return to === undefined ? undefined : typeof to === 'string' ? moved(rule.status, to) : to
  }
}

const moved = (status: number, to: string): RuleAnswer => ({
  status,
  error: undefined,
  message: 'moved',
  fields: `Location: ${to}\r\n`,
  empty: true,
})

const noHost: RuleAnswer = {
  status: 400,
  error: 'http_request_error',
  message: 'the request names no host, and this address is served by another one only',
}

/** The same place by its right name; undefined: it has been asked for so. */
function canonical(rule: RedirectRule, request: RequestReading, secure: boolean): string | RuleAnswer | undefined {
  const toHttps = rule.https && !secure
  if (rule.www === undefined && !toHttps) return undefined
  const colon = request.host.startsWith('[') ? request.host.indexOf(':', request.host.indexOf(']')) : request.host.indexOf(':')
  const name = colon < 0 ? request.host : request.host.slice(0, colon)
  const port = colon < 0 ? '' : request.host.slice(colon)
  if (name === '') return noHost
  const right = rightName(rule.www, name)
  if (right === name && !toHttps) return undefined
  const newPort = toHttps ? (rule.httpsPort === 443 ? '' : `:${rule.httpsPort}`) : port
  return `${toHttps || secure ? 'https' : 'http'}://${right}${newPort}${uriOf(request)}`
}

/** An address, or a name without a dot, has no `www.`. */
function rightName(www: RedirectRule['www'], name: string): string {
  const has = /^www\./i.test(name)
  if (www === 'remove' && has) return name.slice(4)
  return www === 'add' && !has && /[a-z][^:[\]]*$/i.test(name) && name.includes('.') ? `www.${name}` : name
}

const uriOf = ({ target }: RequestReading): string => (target.startsWith('/') ? target : '/')

function filledIn(to: string, request: RequestReading, routePath: string): string {
  const uri = uriOf(request)
  const filled = to.replace(/\{(uri|rest|host)\}/g, (_, name: string) =>
    name === 'uri' ? uri : name === 'host' ? request.host : strippedTarget(uri, routePath),
  )
  // `//elsewhere.example` in the place of a path would name another host.
  return to.startsWith('http') ? filled : filled.replace(/^[/\\]{2,}/, '/')
}
