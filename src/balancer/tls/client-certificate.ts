/** What an origin is told of a client that has shown a certificate: the certificate itself (RFC 9440) and its subject as one line. */
import type { TLSSocket } from 'node:tls'

/** A certificate larger than this is told by its subject only: it would not fit into the head an origin takes. */
const certificateBytesMax = 4_096
const subjectMax = 1_024

/** Field lines for the origin; empty when the client showed none, or one that was not verified. */
export function clientCertificateFields(socket: TLSSocket): string {
  if (!socket.authorized) return ''
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return ''
  const lines = [`X-Client-Cert-Subject: ${subjectLine(certificate.subject)}\r\n`]
  if (certificate.raw.length <= certificateBytesMax) lines.push(`Client-Cert: :${certificate.raw.toString('base64')}:\r\n`)
  return lines.join('')
}

/** `CN=ada,O=Example`; what is not printable ASCII is percent-encoded as UTF-8. */
function subjectLine(subject: string | undefined): string {
  const line = (subject ?? '').trim().split('\n').join(',')
  return Array.from(line, (char) => (char >= ' ' && char <= '~' ? char : encodeURIComponent(char)))
    .join('')
    .slice(0, subjectMax)
}
