/**
 * Every limit of a worker in one place. The core's own (parking, retries, probes, picking) lie beside their rules in
 * `core/`, those of heads and chunks in `http1/`. All are listed in `docs/balancer.md`.
 */

// --- a client's connection

/** From the first byte of a head to its last (slow-header attacks). */
export const headTimeoutMs = 10_000
/** Between two requests. */
export const clientIdleMs = 75_000
/** When everything ends: for a request that is on its way behind an answer whose head went out before. */
export const lastRequestMs = 1_000
/** Between two pieces of a request body; its least rate is in `core/body-pace.ts`. */
export const bodyTimeoutMs = 30_000
/** Reading goes on this long after the last answer, so that the client gets it before a reset can reach it. */
export const lingerMs = 2_000
export const lingerBytesMax = 256 * 1024
/** How long a client may leave what was written for it unread. */
export const readerStallMs = 60_000
/** Input that waits behind the current request before reading stops. */
export const waitingInputMax = 64 * 1024
/** Open client connections per worker; more are closed at once. */
export const connectionsMax = 20_000
/** Connections that wait to be accepted; the kernel's own limit (`somaxconn`) is usually 4,096. */
export const backlog = 4_096

/** From the acceptance of a connection to the end of its PROXY header, on listeners that want one. */
export const proxyHeaderMs = 3_000

// --- parking

/** Requests of a service that may wait beyond this worker's part of the limit while the primary is asked for more (`core/lease.ts`: half a second at most). */
export const parkingOverdraftRequests = 256
/** The same in bytes. */
export const parkingOverdraftBytes = 2 * 1024 * 1024

/** Requests of a service that may wait for a slot beyond this worker's part of the queue while the primary is asked for more. */
export const queueOverdraft = 128

// --- an exchange

/** Between two pieces of an answer. */
export const answerIdleMs = 60_000
/** Interim answers (1xx) to one request; they are passed on without waiting for the client, so they need an end. */
export const interimAnswersMax = 32
/** How long a failed non-idempotent request waits to learn how its instance ended, so that the answer can say so. */
export const deathNewsMs = 25

/**
 * The same where requests that kill are looked for: sent on without the news, one of them would go unrecognised. They come a few milliseconds after the
 * connection broke, on a machine with more to do than it can after a tenth of a second and more.
 */
export const crashNewsMs = 500
/** After so long it is looked whether the process still runs and accepts connections: whoever waits for news of one that does goes on. */
export const lookMs = 4
/** The same, when it could not be told. */
export const lookAgainMs = 50
/** Once it is known that the process has ended, how it did is waited for longer: it will be told, however busy the machine is. */
export const endNewsMs = 2_000
/** A service whose instance crashed although it had been found to live closes its connections well before its end: for so long looks do not count there. */
export const slowExitsMs = 600_000
/** The same, once an endpoint that broke a connection has been found to live: it may do so all the time, and clients should not wait for each. */
export const livesNewsMs = 50
/** That is remembered for so long. */
export const livesMs = 10_000
/** How long a request that was caught in a crash waits at most for its verdict; longer than all trials of a burst take (`core/quarantine.ts`). */
export const verdictMsMax = 12_000

// --- hedging

/** Attempts per endpoint and worker that a hedge was faster than, and that stay on to show whether the endpoint is slow or hangs; further ones are aborted. */
export const observersMax = 8
/** How long they may take while nobody knows what is usual. */
export const observerMs = 5_000

// --- a connection to an endpoint

/** An endpoint that seems to be an outlier gets nothing for so long while the primary decides whether it is one; there must be another. */
export const outlierHoldMs = 100

/** Idle connections kept per endpoint and worker. */
export const upstreamIdleMax = 256
/** How long an idle connection may be used again when the origin gives no `Keep-Alive: timeout`: a second less than Node's default of 5 s. */
export const upstreamIdleMs = 4_000
/** The same, at most, whatever the origin says. */
export const upstreamIdleMsMax = 55_000
/** After the origin closed an idle one, the others are not trusted for so long: the process may have died, and each tells in its own turn. */
export const siblingsMs = 25

// --- a mirror

/** Copies of requests under way per service and worker; one more is dropped. */
export const mirrorsMax = 64

// --- a tunnel

/** A tunnel without a byte either way is closed after this. */
export const tunnelIdleMs = 3_600_000
/** How long the client may take to answer our Close. */
export const tunnelClosingMs = 2_000
/** While an endpoint drains, its tunnels are asked to close spread over this long. */
export const tunnelDrainMs = 5_000

// --- the worker's own rhythm

/** Deadlines are looked at this often; while requests are parked, more often. */
export const sweepMs = 100
export const lotSweepMs = 20
export const telemetryMs = 1_000
/** The same suspicion is told at most this often. */
export const suspectMs = 100
/** A request sent later than this after the exit of its endpoint counts as late. */
export const lateSendMs = 1
