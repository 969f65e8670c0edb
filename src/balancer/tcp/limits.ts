/** The limits of a TCP connection. Those of time that a service sets are in its view. */

/** What a client may send before its connection to an endpoint stands: a PostgreSQL start-up or a few commands of Redis; then it is read no more. */
export const stashBytesMax = 16 * 1024
/** When one side has said its last, the other has so long between two pieces of what is left. */
export const halfOpenMs = 60_000
/** When an endpoint drains, what is left of its connections is cut spread over this long before the deadline, so that not all clients come back at once. */
export const cutWindowMs = 5_000
/** When everything ends: a connection whose last word was an answer, so long ago, is taken to be idle. */
export const quietMs = 1_000
/** When the process of an endpoint has exited, the kernel has so long to hand over what it sent last. */
export const lastBytesMs = 100
