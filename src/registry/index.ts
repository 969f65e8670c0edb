/** What exists and where it stands, and how endpoints are named. */
export { proxyEndpointId, publicEndpointId, staticEndpointId } from './endpoint-id.ts'
