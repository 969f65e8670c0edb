/** The data plane as other rooms see it. */
export { ProxyClient, type ProxyClientOptions } from './client.ts'
export { InProcessProxy } from './in-process.ts'
export { Prober } from './primary/prober.ts'
export { proxyLogFile, socketPath } from './paths.ts'
export type { Proxy, ProxyIdentity, ProxySignal, ProxyTelemetry, EndpointTelemetry, ServiceTelemetry } from './port.ts'
export { loadTls, type CertificateStatus, type LoadedTls } from './tls/certificates.ts'
export type { BreakerAction } from './messages.ts'
export type { EndpointView, ListenerView, ProbeView, RouteView, RoutingView, ServiceView } from './core/routing-view.ts'
