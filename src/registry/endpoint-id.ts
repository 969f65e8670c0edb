/**
 * Two names of one endpoint. Users know an address that somebody else runs as `host:port`, and two services may share one;
 * the data plane judges, counts and probes each for its service, so there it is `service/host:port`. The id of an instance is
 * of its service anyway and is the same everywhere; it has no colon, and no service has a slash in its name.
 */

export const staticEndpointId = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

/** As the data plane knows the endpoint that users know as `id`. */
export const proxyEndpointId = (service: string, id: string): string => (id.includes(':') ? `${service}/${id}` : id)

/** As users know the endpoint that the data plane knows as `id`. */
export const publicEndpointId = (service: string, id: string): string => (id.startsWith(`${service}/`) ? id.slice(service.length + 1) : id)
