/** What the data plane is told of a TCP service. */
import type { OriginTlsView, ServiceView } from '../balancer/index.ts'
import type { TcpConfig } from '../config/types.ts'

/** Failures in a row until an endpoint is avoided, and passes until it is not. */
const [fall, rise] = [2, 1]

/** `supervised`: whoever runs it looks after it already. `tls`: how it is asked for its role. */
export function tcpViews(config: TcpConfig, supervised: boolean, tls: OriginTlsView | undefined): Pick<ServiceView, 'tcp' | 'probe'> {
  const { kind, listener, replicas, readFromPrimary, idleTimeout, interval, timeout, user, password, database, maxLag } = config
  const ask = { intervalMs: interval, timeoutMs: timeout, user, password, database, maxLagMs: maxLag, tls }
  return {
    tcp: { kind, listener, replicas, readFromPrimary, idleMs: idleTimeout, ask: kind === 'plain' ? undefined : ask },
    probe: supervised ? undefined : { path: '', intervalMs: interval, timeoutMs: timeout, fall, rise, statusMin: 0, statusMax: 0, connectOnly: true },
  }
}
