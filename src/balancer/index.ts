/** The data plane as other rooms see it. */
export { ProxyClient, type ProxyClientOptions } from './client.ts'
export { proxyLogFile, socketPath } from './paths.ts'
export type { Proxy, ProxyIdentity, ProxySignal, ProxyTelemetry, EndpointTelemetry, ServiceTelemetry } from './port.ts'
export type { EndpointView, ListenerView, ProbeView, RouteView, RoutingView, ServiceView } from './core/routing-view.ts'
