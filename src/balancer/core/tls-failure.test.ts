import { describe, expect, it } from 'vitest'
import { notHttp } from './resend.ts'
import { refusedByAlert, tlsFailure } from './tls-failure.ts'

describe('why a handshake failed', () => {
  it.each([
    ['CERT_HAS_EXPIRED', 'tls_certificate_error', 'shows a certificate that has expired'],
    ['CERT_SIGNATURE_FAILURE', 'tls_certificate_error', 'shows a certificate that is not accepted (CERT_SIGNATURE_FAILURE)'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_certificate_error', 'shows a certificate of an authority that is not known here'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_protocol_error', 'does not speak TLS'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls_alert_received', 'refuses the handshake: certificate required'],
    ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'tls_alert_received', 'refuses the handshake: handshake failure'],
    ['ERR_SSL_BAD_SIGNATURE', 'tls_protocol_error', 'breaks the rules of TLS (ERR_SSL_BAD_SIGNATURE)'],
  ])('%s is %s', (code, kind, reason) => {
    expect(tlsFailure(code)).toEqual({ kind, reason })
    expect(refusedByAlert(code)).toBe(kind === 'tls_alert_received')
  })

  it.each([undefined, 'ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', notHttp])('%s has nothing to do with it', (code) => {
    expect(tlsFailure(code)).toBeUndefined()
  })
})
