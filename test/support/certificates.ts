/** Certificates made for a test with the machine's own OpenSSL. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Pair {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface PairOptions {
  readonly hosts?: readonly string[]
  readonly subject?: string
  /** Who signs it; undefined: itself. */
  readonly by?: Pair
}

/** A certificate and its key (P-256) as files `name.crt` and `name.key` in the directory. */
export function makePair(directory: string, name: string, { hosts = [], subject = `/CN=${name}`, by }: PairOptions = {}): Pair {
  const certFile = join(directory, `${name}.crt`)
  const keyFile = join(directory, `${name}.key`)
  const names = hosts.length > 0 ? ['-addext', `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`] : []
  const signer = by ? ['-CA', by.certFile, '-CAkey', by.keyFile, '-addext', 'basicConstraints=CA:FALSE'] : []
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30', '-utf8', '-subj', subject].concat(
      ['-keyout', keyFile, '-out', certFile],
      names,
      signer,
    ),
    { stdio: 'pipe' },
  )
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile }
}
