/** Every limit of HTTP/2 in one place; listed in `docs/http2.md`. Those of requests, bodies and answers are the ones of HTTP/1.1. */

/** Requests at once on a client's connection; more are refused (REFUSED_STREAM), and a client may send them again. */
export const streamsMax = 100
/** Of the fields of one request, counted as HTTP/2 does. The limit for what becomes of them is that of every head: 431. */
export const headerListBytesMax = 64 * 1024
/** Body bytes that a client may send ahead on one stream, and on all of them together. */
export const streamWindowBytes = 256 * 1024
export const connectionWindowBytes = 1024 * 1024
/** Streams that a client may reset before they are answered: at once, and per second (each answer that was carried through gives one back). */
export const resetsMax = 200
export const resetsPerSecond = 20
/** PING and SETTINGS. */
export const controlFramesMax = 200
export const controlFramesPerSecond = 20
/** Between the notice that a connection ends and its end: what is on its way to us then is still served. */
export const goawayNoticeMs = 1_000
/** For frames that wait to be sent and the like, in megabytes, per connection. */
export const sessionMemoryMegabytes = 10

// --- to endpoints

/** Requests at once on one connection to an endpoint, if it does not ask for fewer. */
export const originStreamsMax = 100
/** Connections to one endpoint and worker; beyond, requests wait in them. */
export const originSessionsMax = 32
/** A connection that carries nothing is closed after this. */
export const originIdleMs = 55_000
/** A connection on which nothing was answered for this long while a request waited takes no further ones. No PING is sent: gRPC servers count them. */
export const originSilenceMs = 5_000
