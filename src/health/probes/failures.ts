/** What failures of probes mean: whether they tell of this machine rather than of what is checked, and in words that say what was found. */
import { codeOf, HoldfastError, messageOf } from '../../kernel/errors.ts'

/** No descriptor, no memory, no port left; no program or package to do it with. */
const ours = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL', 'EAGAIN', 'probe_unable'])

export const isOurOwnFailure = (error: unknown): boolean => ours.has(codeOf(error) ?? '')

/** The probe cannot be made here at all. */
export const unable = (message: string, hint?: string): HoldfastError =>
  new HoldfastError('probe_unable', message, hint === undefined ? {} : { hint })

/** What libraries say in words of their own. The first that fits. */
const wordsFor: readonly (readonly [pattern: RegExp, words: string])[] = [
  [/^ECONNREFUSED$/, 'nobody listens there'],
  [/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN)$/, 'there is no way to it'],
  [/^ETIMEDOUT$/, 'no connection came about'],
  [/^HPE_HEADER_OVERFLOW$/, 'the head of its answer is larger than 16 KiB'],
  [/^HPE_/, 'what it answers is not HTTP'],
  [/^(ERR_SSL_WRONG_VERSION_NUMBER|EPROTO|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/, 'it does not speak TLS'],
  [/^ERR_SSL_/, 'no TLS connection came about'],
  [/^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN)$/, 'the certificate is signed by nobody that is believed; name its authority with ca'],
  [
    /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/,
    'whoever signed the certificate is not known, or the chain that is served is not whole',
  ],
  [/^CERT_HAS_EXPIRED$/, 'the certificate has expired'],
  [/^CERT_NOT_YET_VALID$/, 'the certificate is not valid yet'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'the certificate is for another name'],
  [/^EBADRESP$/, 'what it answers is not DNS'],
]

const closed = /socket hang up|disconnected before secure TLS|Connection terminated|Socket closed|connection was closed|ECONNRESET/

/** `nobody listens there (connect ECONNREFUSED 127.0.0.1:5432)` */
export function wordsOf(error: unknown): string {
  const message = messageOf(error)
  const code = codeOf(error) ?? ''
  const [, words] = wordsFor.find(([pattern]) => pattern.test(code)) ?? []
  if (words !== undefined) return `${words} (${shortened(message)})`
  if (message === 'aborted') return 'it closed the connection in the middle of its answer'
  return closed.test(message) || code === 'ECONNRESET' ? `it closed the connection without an answer (${message})` : message
}

/** Where whoever connects begins. */
export const atFirst = (host: string): string => (/^[[\]\d.:]+$/.test(host) || host.includes(':') ? 'connecting' : `looking up ${host}`)

/** OpenSSL names the line of its source. */
const shortened = (message: string): string => /:SSL routines:[^:]*:([^:]+)/.exec(message)?.[1] ?? message.trim()
