/**
 * Which pages may call a service (Fetch standard, "CORS protocol"). Preflights are answered here; on every other answer the service's own
 * CORS fields give way to ours, so that there is one truth.
 */
import type { CorsRule } from '../../../config/types.ts'
import type { Guard, RequestReading } from './reading.ts'

/** What we say in place of the service. */
export const corsFields = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-max-age',
]

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** `https://*.example.com` takes every name below; `*` everybody. */
function originMatcher(origins: readonly string[]): (origin: string) => boolean {
  if (origins.includes('*')) return () => true
  const patterns = origins.map((origin) => new RegExp(`^${escaped(origin).replace('\\*', '[a-z0-9-]+(?:\\.[a-z0-9-]+)*')}$`, 'i'))
  return (origin) => patterns.some((pattern) => pattern.test(origin))
}

const harmless = (value: string): boolean => value.length <= 1_024 && /^[\x20-\x7e]*$/.test(value)

export interface Cors {
  /** Answers preflights. */
  readonly preflight: Guard
  /** Lines for the answer to a request. */
  readonly lines: (request: RequestReading) => string
}

export function compileCors(rule: CorsRule): Cors {
  const allowed = originMatcher(rule.origins)
  const anybody = rule.origins.includes('*') && !rule.credentials
  const vary = anybody ? '' : 'Vary: Origin\r\n'
  const credentials = rule.credentials ? 'Access-Control-Allow-Credentials: true\r\n' : ''
  const exposed = rule.exposeHeaders.length > 0 ? `Access-Control-Expose-Headers: ${rule.exposeHeaders.join(', ')}\r\n` : ''
  const originLines = (origin: string): string => `Access-Control-Allow-Origin: ${anybody ? '*' : origin}\r\n${credentials}${vary}`
  const fits = (origin: string | undefined): origin is string => origin !== undefined && harmless(origin) && allowed(origin)

  return {
    preflight(request) {
      const origin = request.field('origin')
      const method = request.method === 'OPTIONS' ? request.field('access-control-request-method') : undefined
      if (origin === undefined || method === undefined) return undefined
      if (!fits(origin))
        return { status: 403, error: 'http_request_denied', message: 'pages of this origin may not call this service', details: 'cors origin' }
      const asked = request.field('access-control-request-headers')
      const headers = rule.headers.length > 0 ? rule.headers.join(', ') : asked !== undefined && harmless(asked) ? asked : ''
      const fields = `${originLines(origin)}Access-Control-Allow-Methods: ${rule.methods.join(', ')}\r\n${
        headers === '' ? '' : `Access-Control-Allow-Headers: ${headers}\r\n`
      }Access-Control-Max-Age: ${Math.floor(rule.maxAge / 1_000)}\r\n`
      return { status: 204, error: undefined, message: 'preflight', fields, empty: true }
    },
    lines(request) {
      const origin = request.field('origin')
      return fits(origin) ? originLines(origin) + exposed : vary
    },
  }
}
