/** Why an instance that lives is not ready: what it listens on instead, or what it answered. One sentence. */
import { formatDuration } from '../../../kernel/duration.ts'
import type { ProbeResult } from './probe.ts'

export interface Evidence {
  readonly port: number
  readonly waited: number
  readonly last: ProbeResult | undefined
  /** Ports on which its process group listens; undefined: cannot be told here. */
  readonly listening: readonly number[] | undefined
}

export function explainNotReady({ port, waited, last, listening }: Evidence): string {
  const late = `not ready after ${formatDuration(waited)}: alive`
  if (last?.passed === false && last.connected) return `${late}, but ${last.reason}`
  if (listening?.includes(port))
    return `${late} and listening on ${port}, but on no loopback address; it must listen on 127.0.0.1, ::1 or all addresses`
  const missing = `${late} but nothing listens on ${port}`
  if (listening === undefined) return `${missing}; it must listen on $PORT`
  if (listening.length === 0) return `${missing}, or on any other port; it must listen on $PORT`
  return `${missing}; it listens on ${listening.join(', ')} and must listen on $PORT`
}
