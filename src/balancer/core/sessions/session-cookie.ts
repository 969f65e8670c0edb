/**
 * The value of a session cookie: `endpoint.epoch.client.mac`. The endpoint by a name that says nothing of its address, the second in which the cookie
 * was given, the client's number in the races of a split, so that it stays on its side when its endpoint goes, and a signature over all of it.
 */
import type { StickyView } from './view.ts'

export interface SessionValue {
  readonly endpoint: string
  readonly epoch: number
  readonly client: number
}

/** More cookies of the same name are not looked at: each costs a signature. */
export const sessionCookiesMax = 3

const form = /^([\w-]{11})\.([0-9a-z]{1,8})\.([0-9a-z]{1,7})\.([\w-]{22})$/

export const signedPart = ({ endpoint, epoch, client }: SessionValue): string => `${endpoint}.${epoch.toString(36)}.${client.toString(36)}`

/** undefined: it is none of ours. */
export function readSession(text: string): (SessionValue & { readonly signed: string; readonly mac: string }) | undefined {
  const [, endpoint, epoch, client, mac] = form.exec(text) ?? []
  if (endpoint === undefined || epoch === undefined || client === undefined || mac === undefined) return undefined
  const value = { endpoint, epoch: parseInt(epoch, 36), client: parseInt(client, 36) }
  // One spelling for one value.
  const signed = signedPart(value)
  return value.client <= 0xffffffff && text === `${signed}.${mac}` ? { ...value, signed, mac } : undefined
}

/** How a cookie of this age is taken: it counts, it counts and is given anew, or it counts no longer. */
export function ageOf(ageSeconds: number, ttlSeconds: number | undefined): 'fresh' | 'renew' | 'expired' {
  // A clock that was set back is not the client's fault.
  if (ttlSeconds === undefined || ageSeconds < ttlSeconds / 2) return 'fresh'
  return ageSeconds < ttlSeconds ? 'renew' : 'expired'
}

/** The lines of an answer that gives the cookie. Such an answer is for this client alone: no shared cache may keep it (RFC 9111 §5.2.2.7). */
export function sessionLines({ cookie, ttlSeconds }: StickyView, value: string, secure: boolean): string {
  const age = ttlSeconds === undefined ? '' : `; Max-Age=${ttlSeconds}`
  return `Set-Cookie: ${cookie}=${value}; Path=/${age}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}\r\nCache-Control: private\r\n`
}
