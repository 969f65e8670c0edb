/** Certificates that are served: how long they are still valid, and who is believed. */
import { readFileSync } from 'node:fs'
import type { PeerCertificate } from 'node:tls'
import { messageOf } from '../../kernel/errors.ts'
import { unable } from './failures.ts'

const dayMs = 86_400_000

/** Milliseconds; negative: it has expired. undefined: none is served. */
export function leftOf(certificate: PeerCertificate, now: number): number | undefined {
  const left = Date.parse(certificate.valid_to) - now
  return Number.isNaN(left) ? undefined : left
}

/** `is valid for 12 more days` */
export function leftWords(left: number): string {
  const days = Math.floor(Math.abs(left) / dayMs)
  const count = `${days} ${days === 1 ? 'day' : 'days'}`
  return left <= 0 ? `expired ${days === 0 ? 'today' : `${count} ago`}` : `is valid for ${count.replace(' ', ' more ')}`
}

/** The file of authorities; one that cannot be read tells of this machine, and not of what is checked. */
export function authorities(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw unable(`tried to read the authorities in ${file}: ${messageOf(error)}`)
  }
}
