/** The declaration of a service: every key below `services.<name>`. */
import { minutes, ms, seconds } from '../../kernel/time.ts'
import { balanceAlgorithms, balanceWeights } from '../types.ts'
import { address, headerName, routeHost, routePath } from './addresses.ts'
import { serviceCache } from './cache-keys.ts'
import { health } from './health-keys.ts'
import { httpKeys, pageKeys } from './http-keys.ts'
import { mirrorKeys } from './mirror-keys.ts'
import { originKeys } from './origin-keys.ts'
import { routeWhen } from './route-keys.ts'
import { splitKeys, sticky, versionName } from './session-keys.ts'
import { accountName, boolean, duration, integer, filled, nameOf, oneOf, orWord, patience, percent, port, rate, rateLimitKey, size, text, timeout, variableName } from './scalars.ts'
import { tcp } from './tcp-keys.ts'
import { key, list, map, object, optional, planned, switchable, type Value } from './schema.ts'

/** One node never runs more of one service than this. */
export const instancesMax = 1_000
/** `execve` takes no longer argument or variable than 128 KiB. */
const processTextMax = 65_536

export const stopSignals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const
export const restartPolicies = ['always', 'on-failure', 'never'] as const
export const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
  'PROPPATCH',
  'MKCOL',
  'COPY',
  'MOVE',
  'LOCK',
  'UNLOCK',
  'REPORT',
  'SEARCH',
  'PURGE',
] as const

const method = { ...oneOf(methods), name: 'method', expected: 'a method such as GET or POST' }

const instanceCount = integer(0, instancesMax)

const instances = object(
  {
    min: key(instanceCount, { doc: 'At least this many.', default: 1 }),
    max: optional(instanceCount, { doc: 'At most this many. Until scaling is there it must equal `min`.', without: 'as `min`' }),
  },
  { short: ['min', 'max'], compact: true },
)

const endpoint = object(
  {
    address: key(address, { doc: 'Where it listens.' }),
    weight: key(integer(1, 256), { doc: 'Its share of the traffic beside the others.', default: 1 }),
    version: optional(versionName, { doc: 'Your own label on what runs there, for `split`.', without: 'as the service' }),
  },
  { short: ['address'], compact: true },
)

const user = object(
  {
    name: key(accountName('user'), { doc: 'The user.' }),
    group: optional(accountName('group'), { doc: 'The group, in place of the user’s own. Its further groups stay.', without: 'as the user has' }),
  },
  { short: ['name'], compact: true },
)

const restart = object({
  policy: key(oneOf(restartPolicies), {
    doc: '`always`: whenever it exits without an order; `on-failure`: not after exit code 0; `never`.',
    default: 'always',
  }),
  backoff: key(
    object({
      initial: key(duration(ms(100), minutes(60)), { doc: 'The first wait after repeated failures; it doubles from there.', default: seconds(1) }),
      max: key(duration(ms(100), minutes(60)), { doc: 'The longest wait.', default: seconds(60) }),
    }),
    { doc: 'Waits between restarts of what keeps failing. The first restart after a healthy time does not wait.' },
  ),
})

const rateLimit = switchable({
  key: key(rateLimitKey, {
    doc: 'Whose requests are counted together: `client-ip` (IPv6: a /64; `trustedProxies` may speak for others), `header:NAME`, `cookie:NAME` (without one: the address), `service` (all).',
    default: { by: 'client-ip' },
  }),
  rate: key(rate, { doc: 'How many go on in the long run.' }),
  burst: optional(integer(1, 1_000_000_000), { doc: 'How many may come at once.', without: 'as many as `rate` has in its time' }),
  shared: key(boolean, { doc: 'Counts together with all machines that use the same `limits.redis`.', default: false }),
})

const route = object(
  {
    listener: optional(nameOf('listener'), { doc: 'Where the request comes in.', without: 'the first listener' }),
    host: optional(routeHost, { doc: 'The host asked for; `*.example.com` takes every name below it.', without: 'any' }),
    path: key(routePath, { doc: 'A prefix of whole segments: `/a` takes `/a` and `/a/b`, not `/ab`. The longest one wins.', default: '/' }),
    methods: optional(list(method, { min: 1 }), { doc: 'The methods taken. A route that names the method goes before one that takes any.', without: 'any' }),
    when: optional(routeWhen, { doc: 'Further conditions; all must hold. `*`: any value; `beta-*`: values that begin so. Of routes with the same host and path, the one with the most conditions wins.', without: 'none' }),
    stripPath: key(boolean, { doc: 'Removes the matched prefix before the request is forwarded.', default: false }),
    rateLimit: optional(rateLimit, { doc: 'How many requests a client may send by this route, besides `resilience.rateLimit` of the service.', without: 'off' }),
    ...httpKeys,
  },
  { short: ['path'] },
)

const balance = object({
  algorithm: key(oneOf(balanceAlgorithms), { doc: 'How an endpoint is chosen.', default: 'p2c-ewma' }),
  hashHeader: optional(headerName, { doc: 'For `consistent-hash`: the request header whose value is the key.', without: 'the path is the key' }),
  slowStart: key(patience, { doc: 'An endpoint that joins others, or comes back, gets its full share only after this long, or once it is as fast as they are.', default: seconds(10) }),
  weights: key(oneOf(balanceWeights), { doc: 'What shares go by: `fused`: everything that is known of an endpoint; `configured`: the configured weights only. Probes, ejection and breakers take it out all the same.', default: 'fused' }),
  sticky: optional(sticky, { doc: 'Keeps a client at its endpoint, by a signed cookie.', without: 'every request is free' }),
})

const parking = switchable({
  timeout: key(timeout, { doc: 'How long a request waits for an endpoint.', default: seconds(30) }),
  requests: key(integer(1, 100_000), { doc: 'How many wait at most; one more is refused.', default: 256 }),
  bytes: key(size(0, 1_024 ** 3), { doc: 'How much of their heads and bodies is held at most.', default: 16 * 1_024 ** 2 }),
  pageAfter: optional(patience, {
    doc: 'A browser that opens a page gets one after this long that says so and asks again by itself.',
    without: 'when its request is refused',
  }),
})

/** Of the application; what else is 5xx says that another endpoint would answer the same. */
const retryReason = orWord('timeout', { ...integer(500, 599), name: 'status', expected: 'a status such as 503' })

const breaker = switchable({
  errorRate: key(percent, { doc: 'Share of the requests to an endpoint that fails before nothing more is sent there.', default: 0.5 }),
  window: key(duration(seconds(1), minutes(10)), { doc: 'The time that is looked at.', default: seconds(10) }),
  minimumRequests: key(integer(1, 1_000_000), { doc: 'With fewer requests in that time it stays closed.', default: 20 }),
  openFor: key(duration(ms(100), minutes(10)), { doc: 'How long it is open the first time. It doubles from there, up to 60 s.', default: seconds(5) }),
})

const ejection = switchable({
  consecutiveErrors: key(integer(1, 1_000), { doc: 'Answers of 5xx in a row that take an endpoint out.', default: 5 }),
  consecutiveFailures: key(integer(1, 1_000), { doc: 'Connections in a row that fail or are not answered in time.', default: 2 }),
  baseTime: key(duration(ms(100), minutes(60)), { doc: 'How long it is out the first time; the second time in a row twice as long, and so on.', default: seconds(30) }),
  maxTime: key(duration(ms(100), minutes(60)), { doc: 'It is never out for longer.', default: seconds(300) }),
})

const hedge = switchable(
  {
    delay: optional(duration(ms(1), minutes(1)), { doc: 'How long the first attempt has before the second leaves.', without: 'the p95 of the last minute, at least 10ms' }),
    budget: key(percent, { doc: 'Second attempts per request in the long run; ten are saved up.', default: 0.05 }),
  },
  { on: true },
)

const quarantine = switchable(
  {
    expires: key(duration(seconds(1), minutes(7 * 24 * 60)), { doc: 'How long such a request is answered 500, unless somebody forgets it before.', default: minutes(60) }),
  },
  { on: true },
)

const fallback = switchable({
  status: key(integer(200, 599), { doc: 'Its status.', default: 503 }),
  body: optional(filled('path', 'a path'), { doc: 'The file with its body, from the directory of the file, at most 128 KiB.', without: 'one of `body`, `service` and `stale` is required' }),
  contentType: optional(text('media type', { max: 128, expected: 'a media type such as application/json', matching: /^[\w!#$&^.+*-]+\/[\w!#$&^.+*-]+(; ?[\w-]+=[\w-]+)?$/ }), {
    doc: 'Its `Content-Type`.',
    without: 'by the suffix of the file',
  }),
  service: optional(nameOf('service'), { doc: 'Another service answers, if the request may be sent once more.', without: 'one of `body`, `service` and `stale` is required' }),
  stale: key(boolean, {
    doc: 'Before that: an answer that is kept, however old (`cache` of the service); `must-revalidate` and the like forbid it all the same.',
    default: false,
  }),
})

const resilience = object({
  timeout: key(timeout, { doc: 'From the request to the head of the answer, all attempts together; parking apart.', default: seconds(30) }),
  connectTimeout: key(timeout, { doc: 'For one connection to one endpoint.', default: seconds(2) }),
  retries: key(
    object({
      attempts: key(integer(0, 3), { doc: 'Second tries of a request that is safe to repeat.', default: 1 }),
      budget: key(percent, { doc: 'Share of the active requests that may be second tries.', default: 0.2 }),
      on: key(list(retryReason), {
        doc: 'Answers worth asking another endpoint for, and `timeout`: each try then has its part of `timeout`. Refused and broken connections always are.',
        default: [502, 503, 504],
      }),
    }),
    { doc: 'Trying again on another endpoint.' },
  ),
  hedge: optional(hedge, {
    doc: 'A second attempt of GET, HEAD and OPTIONS at another endpoint while the first is late; the first good answer wins.',
    without: 'off',
  }),
  parking: optional(parking, {
    doc: 'Holds requests while no endpoint is ready but one is on its way. `off` refuses them.',
    without: 'on with these values for `command` and `tcp`, off for other `endpoints`',
  }),
  breaker: optional(breaker, { doc: 'Stops sending to what fails, and tries it again with care.', without: 'off' }),
  ejection: optional(ejection, { doc: 'Takes an endpoint that fails more than the others out for a while. A single one stays.', without: 'off' }),
  concurrency: key(orWord('off', orWord('adaptive', integer(1, 100_000))), {
    doc: 'Requests that an endpoint has at a time, over all workers; `adaptive`: learned from its latency.',
    default: 'off',
  }),
  queue: key(
    object({
      size: key(integer(1, 100_000), { doc: 'How many wait at most; one more is answered 503.', default: 256 }),
      timeout: key(timeout, { doc: 'How long one waits.', default: seconds(10) }),
    }),
    { doc: 'Waiting while all endpoints are at their `concurrency`.' },
  ),
  rateLimit: optional(rateLimit, { doc: 'How many requests a client may send; more are answered 429. It holds over all workers.', without: 'off' }),
  quarantine: optional(quarantine, {
    doc: 'Finds requests that kill instances of a `command`, and sends them to no other one. `off` lets them kill.',
    without: 'on with these values for `command`',
  }),
  fallback: optional(fallback, { doc: 'What is answered when nothing could: no endpoint, all of them failed, a breaker open, too many waiting, too late.', without: 'the failure' }),
})

export const service = object({
  command: optional(filled('text', 'a command', { max: processTextMax, matching: /^[^\0]+$/ }), {
    doc: 'Child processes of this node. It must listen on `$PORT`. Shell syntax is run by `/bin/sh`.',
    without: 'one of `command` and `endpoints` is required',
    change: 'replaceInstances',
  }),
  endpoints: optional(list(endpoint), {
    doc: 'Addresses run by somebody else, as `host:port` or `{ address, weight, version }`.',
    without: 'one of `command` and `endpoints` is required',
    change: 'routing',
  }),
  image: planned('Containers.', 'containers come with a later release'),
  kubernetes: planned('Pods of an existing Deployment.', 'Kubernetes comes with a later release'),
  discover: planned('Addresses from DNS or Consul.', 'discovery by DNS and Consul comes with a later release'),
  version: optional(filled('text', 'a text', { max: 256 }), {
    doc: 'Your own label. Changing it starts a new revision, even when nothing else changed.',
    without: 'none',
    change: 'replaceInstances',
  }),
  cwd: key(filled('path', 'a path'), { doc: 'The working directory of the command, from the directory of the file.', default: '.', change: 'replaceInstances' }),
  env: key(map('variable', variableName, text('text', { max: processTextMax, matching: /^[^\0]*$/ })), {
    doc: 'Environment variables of the command. `PORT` and `HOLDFAST_…` are set by Holdfast.',
    default: {},
    change: 'replaceInstances',
  }),
  port: key(orWord('auto', port), {
    doc: '`auto`: a free port for each instance. A number only for a single instance. Either way it is handed over as `$PORT`.',
    default: 'auto',
    change: 'replaceInstances',
  }),
  user: optional(user, {
    doc: 'Who runs the command: a name, a number, or `{ name, group }`. Holdfast must be root for any other than its own.',
    without: 'whoever runs Holdfast',
    change: 'replaceInstances',
  }),
  instances: key(instances, { doc: 'How many run.', change: 'scale' }),
  resources: optional(
    object({
      memory: key(size(1_024 ** 2, 1_024 ** 5), {
        doc: 'An instance that holds more, together with all it has started, is replaced: the new one takes traffic before the old one is drained.',
      }),
      cpu: planned('A limit of processor time.', 'limits of processor time come with a later release'),
    }),
    { doc: 'What an instance may use.', without: 'no limit', change: 'supervision' },
  ),
  dependsOn: key(list(nameOf('service')), { doc: 'Services that are ready before this one starts.', default: [], change: 'startOrder' }),
  start: key(
    object({
      timeout: key(duration(ms(100), minutes(60)), { doc: 'Not ready by then counts as a failed start.', default: seconds(30) }),
      warmup: planned('Requests sent before the first real one.', 'warm-up requests come with a later release'),
    }),
    { doc: 'Starting an instance.', change: 'supervision' },
  ),
  stop: key(
    object({
      signal: key(oneOf(stopSignals), { doc: 'Sent once no request is left.', default: 'SIGTERM' }),
      timeout: key(patience, { doc: 'Still running by then: killed.', default: seconds(30) }),
    }),
    { doc: 'Stopping an instance.', change: 'supervision' },
  ),
  restart: key(restart, { doc: 'Restarting what exits.', change: 'supervision' }),
  health: optional(health, {
    doc: 'A probe by HTTP, or its path alone: `health: /health`; `health: { grpc: shop.Orders }` asks by gRPC.',
    without: 'ready when its port accepts connections; not probed after that',
    change: 'probing',
  }),
  tcp: optional(tcp, {
    doc: 'Carries connections instead of requests; the name of its listener alone will do.',
    without: 'an HTTP service',
    change: 'routing',
  }),
  origin: optional(originKeys, { doc: 'How its endpoints are spoken to.', without: 'plain HTTP/1.1', change: 'routing' }),
  routes: key(list(route), { doc: 'Which requests it gets; a text is the path alone.', default: [], change: 'routing' }),
  balance: key(balance, { doc: 'Choosing an endpoint.', change: 'routing' }),
  ...splitKeys,
  ...mirrorKeys(method),
  resilience: key(resilience, { doc: 'What is done when an endpoint is slow, broken or gone.', change: 'routing' }),
  ...httpKeys,
  ...pageKeys,
  cache: optional(serviceCache, { doc: 'Answers are kept by the balancer and given again (RFC 9111): `cache: true`.', without: 'nothing is kept', change: 'routing' }),
  scaling: planned('Changes the number of instances by load.', 'scaling comes with a later release'),
  rollout: planned('How a new revision takes over.', 'rollout strategies come with a later release; a changed service is replaced instance by instance'),
})

export type ServiceSettings = Value<typeof service>
export type MirrorSettings = NonNullable<ServiceSettings['mirror']>
