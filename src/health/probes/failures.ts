/** Which failures tell of this machine rather than of what is checked. */
import { codeOf, HoldfastError } from '../../kernel/errors.ts'

/** No descriptor, no memory, no port left; no program or package to do it with. */
const ours = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL', 'EAGAIN', 'probe_unable'])

export const isOurOwnFailure = (error: unknown): boolean => ours.has(codeOf(error) ?? '')

/** The probe cannot be made here at all. */
export const unable = (message: string, hint?: string): HoldfastError =>
  new HoldfastError('probe_unable', message, hint === undefined ? {} : { hint })
