/** The public status page: what clients of the services may know of how they stand. */
export { StatusPage, statusPagePolicy, type StatusPageOptions } from './status-page.ts'
export type * from './types.ts'
