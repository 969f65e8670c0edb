/**
 * Who looks. The one-time code of a login link becomes a token; the token is kept by the browser for this origin (a cookie would also be sent to every other port of
 * this host, where the services are) and exchanged for a new one every hour, so that a page that is left open stays signed in.
 *
 *   starting ──code or kept token is good──▶ signedIn ──refused, expired, sign out──▶ signedOut ──code, token or key──▶ signedIn
 */
import { signal } from '@preact/signals'
import type { Permission } from '../../../src/access/core/permissions.ts'
import type { Role } from '../../../src/access/core/roles.ts'
import { ApiError, get, post, sayError, token, whenRefused } from './api.ts'

export interface Self {
  readonly name: string
  readonly role: Role
  readonly expiresAt: string | null
  readonly renewableUntil: string | null
  readonly permissions: readonly Permission[]
}

export const state = signal<'starting' | 'signedOut' | 'signedIn'>('starting')
export const self = signal<Self | undefined>(undefined)
/** Why nobody is signed in, when there is something to say. */
export const complaint = signal<string | undefined>(undefined)

/** While starting: why it is not known yet who looks. It is tried again. */
export const unreachable = signal<string | undefined>(undefined)

const key = 'holdfast.token'
const againMs = 2_000
const renewEveryMs = 3_600_000
/** What a token of a sign-in lives. */
const tokenMs = 86_400_000

export const may = (permission: Permission): boolean => self.value?.permissions.includes(permission) ?? false

const neededRole: Partial<Record<Permission, Role>> = {
  'manage:config': 'admin',
  'manage:access': 'admin',
  'manage:recovery': 'admin',
  'stop:system': 'admin',
}
/** Why somebody may not; undefined: they may. */
export const whyNot = (permission: Permission): string | undefined =>
  may(permission) ? undefined : `Needs the role ${neededRole[permission] ?? 'operator'}; you are signed in as ${self.value?.role ?? 'nobody'}.`

export async function begin(): Promise<void> {
  whenRefused((why) => {
    end(why)
  })
  addEventListener('storage', (event) => {
    if (event.key === key && event.newValue !== token.peek()) void followOther(event.newValue)
  })
  const code = takeLoginCode()
  if (code !== undefined && (await tryLogin(code))) return
  const kept = localStorage.getItem(key)
  if (kept !== null) await use(kept, complaint.peek())
  else state.value = 'signedOut'
}

/** Another page of this browser has signed in or out, or has only renewed the token: then nothing is to be seen of it here, least of all in a form that is half filled in. */
async function followOther(credential: string | null): Promise<void> {
  const before = self.peek()
  if (credential !== null && before) {
    const now = await get<Self>('/auth/self', undefined, { as: credential }).catch(() => undefined)
    if (now?.name === before.name && now.role === before.role) {
      token.value = credential
      self.value = now
      return
    }
  }
  location.reload()
}

/** Out of the address, so that it is in no history. */
function takeLoginCode(): string | undefined {
  const given = new URLSearchParams(location.hash.startsWith('#login=') ? location.hash.slice(1) : location.search).get('login')
  if (given === null) return undefined
  history.replaceState(null, '', '/')
  return given
}

async function tryLogin(login: string): Promise<boolean> {
  try {
    const { token: made } = await post<{ token: string }>('/auth/token', { login })
    await use(made)
    return true
  } catch (error) {
    complaint.value = sayError(error)
    return false
  }
}

/** A token, an API key, the code of a login link, or the whole link. */
export async function signIn(given: string): Promise<void> {
  complaint.value = undefined
  const credential = given.trim()
  const code = /(?:^|[#?&]login=)([A-Za-z0-9_-]{32})$/.exec(credential)?.[1]
  if (code !== undefined) {
    await tryLogin(code)
    return
  }
  await use(credential)
}

async function use(credential: string, alsoSaid?: string): Promise<void> {
  token.value = credential
  try {
    self.value = await get<Self>('/auth/self')
    localStorage.setItem(key, credential)
    complaint.value = unreachable.value = undefined
    state.value = 'signedIn'
    scheduleRenewal()
  } catch (error) {
    if (state.peek() === 'starting' && isPassing(error)) {
      // The token may well be good: who was signed in before stays so when it answers again.
      unreachable.value = sayError(error)
      await new Promise((resolve) => setTimeout(resolve, againMs))
      await use(credential, alsoSaid)
      return
    }
    token.value = undefined
    complaint.value = alsoSaid ?? sayError(error)
    state.value = 'signedOut'
  }
}

/** It says nothing about the credential. */
const isPassing = (error: unknown): boolean => error instanceof ApiError && (error.status === 0 || error.status === 429 || error.status >= 500)

function end(why?: string): void {
  localStorage.removeItem(key)
  token.value = undefined
  self.value = undefined
  complaint.value = why
  state.value = 'signedOut'
}

export function signOut(): void {
  end()
}

let renewal: ReturnType<typeof setInterval> | undefined
function scheduleRenewal(): void {
  clearInterval(renewal)
  if (typeof self.peek()?.renewableUntil !== 'string') return
  renewal = setInterval(() => void renew(), renewEveryMs)
  if (Date.parse(self.peek()?.expiresAt ?? '') - Date.now() < tokenMs - renewEveryMs) void renew()
}

/** Failing is no matter: the token lives a day, and it is tried again in an hour. */
async function renew(): Promise<void> {
  if (token.peek() === undefined) return
  const { token: made } = await post<{ token: string }>('/auth/renew').catch(() => ({ token: undefined }))
  if (made === undefined || token.peek() === undefined) return
  token.value = made
  localStorage.setItem(key, made)
}
