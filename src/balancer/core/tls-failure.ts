/**
 * Why a TLS handshake with an endpoint failed, in words for its operator, out of the code that Node.js gives. The kinds are those of RFC 9209.
 */
export interface TlsFailure {
  readonly kind: 'tls_certificate_error' | 'tls_alert_received' | 'tls_protocol_error'
  /** Completes "the endpoint …". */
  readonly reason: string
}

const unknownAuthority = 'shows a certificate of an authority that is not known here'

const certificateCodes: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'shows a certificate that has expired',
  CERT_NOT_YET_VALID: 'shows a certificate that is not valid yet',
  CERT_REVOKED: 'shows a certificate that was revoked',
  CERT_UNTRUSTED: unknownAuthority,
  ERR_TLS_CERT_ALTNAME_INVALID: 'shows a certificate for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'shows a certificate signed by itself, which is not believed here',
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
}
const otherCertificateCode = /^(?:CERT_|UNABLE_TO_|ERROR_IN_CERT|INVALID_|PATH_LENGTH|HOSTNAME_MISMATCH|CRL_)/
/** What a server that does not speak TLS makes OpenSSL say. */
const notTls = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST', 'ERR_SSL_UNKNOWN_PROTOCOL'])

/** undefined: it has nothing to do with TLS. */
export function tlsFailure(code: string | undefined): TlsFailure | undefined {
  if (code === undefined) return undefined
  const certificate = certificateCodes[code]
  if (certificate !== undefined) return { kind: 'tls_certificate_error', reason: certificate }
  if (otherCertificateCode.test(code)) return { kind: 'tls_certificate_error', reason: `shows a certificate that is not accepted (${code})` }
  if (notTls.has(code)) return { kind: 'tls_protocol_error', reason: 'does not speak TLS' }
  const alert = /^ERR_SSL_[\w/]*?ALERT_(\w+)$/.exec(code)?.[1]
  if (alert !== undefined) return { kind: 'tls_alert_received', reason: `refuses the handshake: ${alert.toLowerCase().replaceAll('_', ' ')}` }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') {
    return { kind: 'tls_protocol_error', reason: `breaks the rules of TLS (${code})` }
  }
  return undefined
}

/** The endpoint has refused us by an alert; by TLS 1.3 it may do so when the handshake is done for us, before it reads what we send. */
export const refusedByAlert = (code: string | undefined): boolean => code !== undefined && /^ERR_SSL_[\w/]*?ALERT_/.test(code)
