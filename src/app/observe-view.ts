/** What the workers are told about watching requests. */
import type { ObserveView } from '../balancer/core/observe-view.ts'
import type { Config } from '../config/types.ts'

/** undefined: none is watched. */
export function observeView({ log, tracing, explain }: Config): ObserveView | undefined {
  if (log.access === undefined && tracing === undefined && explain === undefined) return undefined
  const { access, directory } = log
  return {
    access: access && { directory, sample: access.sample, fields: access.fields, mask: access.mask.map((name) => name.toLowerCase()) },
    tracing: tracing && { endpoint: tracing.endpoint, headers: tracing.headers, name: tracing.name, sample: tracing.sample },
    explain: explain && { keep: explain.keep, slowMs: explain.slow, sample: explain.sample, header: explain.header?.toLowerCase() },
    serverTiming: explain?.serverTiming ?? 'off',
  }
}
