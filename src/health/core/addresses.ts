/** Addresses of what is checked, as texts. */
import type { HostPort } from '../../config/types.ts'

/** `db:5432`, `[::1]:5432`. */
export const hostPort = ({ host, port }: HostPort): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

export const hostOf = (address: string): string => address.replace(/:\d*$/, '')

/** It is on this machine: what becomes of our network does not concern it. */
export const isLocal = (address: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(hostOf(address))
