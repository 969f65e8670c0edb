/** What a policy may do, and the guards of it: through the operations that people have, so that whatever guards them guards this. */
import type { PolicyAction, PolicyConfig } from '../config/types.ts'
import { writeDuration } from '../config/index.ts'
import { withoutPasswords } from '../config/core/words.ts'
import { runCommand } from '../health/index.ts'
import { HoldfastError, messageOf, unreachable } from '../kernel/errors.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { counted } from '../kernel/words.ts'
import type { EndpointStatus, ServiceStatus } from '../registry/types.ts'
import { staticEndpointId } from '../registry/index.ts'
import type { Actor, Operations } from './operations.ts'

export type PolicyOperations = Pick<Operations, 'restart' | 'scale' | 'setMaintenance' | 'service' | 'endpoints' | 'events' | 'split' | 'setSplit'>

/** A guard said no. */
export class Refused extends Error {}

/** The longest text that a program can be given is 128 KiB; source: execve(2), MAX_ARG_STRLEN. */
const eventBytesMax = 100_000

/** What is to be done, ready to be done. */
export interface Planned {
  /** What it is about, without passwords. */
  readonly target: string
  /** `onStart`: of a command, its pid. */
  readonly run: (onStart: (pid: number) => void) => Promise<unknown>
}

export interface ActionDeps {
  readonly operations: PolicyOperations
  readonly eject: (endpoint: string, forMs: number, actor: Actor) => Promise<void>
  /** Everything stops. */
  readonly stopped: AbortSignal
}

export const actorOf = (policy: string): string => `policy ${policy}`

/** Throws `Refused`. */
export function planAction(policy: PolicyConfig, action: PolicyAction, event: AnyEvent, deps: ActionDeps): Planned {
  const { operations } = deps
  const actor: Actor = { name: actorOf(policy.name), address: 'local', cause: event.id }
  switch (action.action) {
    case 'restart': {
      const service = serviceFor(action, event, operations)
      if (service.maintenance) throw new Refused(`${service.name} is in maintenance`)
      return { target: service.name, run: () => operations.restart(service.name, { actor }) }
    }
    case 'scale': {
      const { name, desired } = serviceFor(action, event, operations)
      const wanted = Math.min(desired + action.by, action.max ?? desired)
      if (wanted <= desired) throw new Refused(`${name} has ${counted(desired, 'instance')} already, and may have ${action.max ?? desired}`)
      return {
        target: `${name} from ${desired} to ${wanted}`,
        run: () => operations.scale(name, wanted, { actor, reason: `${actor.name}: ${event.message}` }),
      }
    }
    case 'eject': {
      const { id } = endpointFor(event, operations)
      return { target: id, run: () => deps.eject(id, action.for, actor) }
    }
    case 'command':
      return { target: withoutPasswords(action.command ?? ''), run: (onStart) => command(policy, action, event, deps.stopped, onStart) }
    case 'failover':
      return failover(serviceFor(action, event, operations), action.to ?? '', actor, operations)
    default:
      return unreachable(action.action)
  }
}

/** `scale shop by 1, up to 6`. */
export function describeAction({ action, service, by, max, to, for: forMs, command: line }: PolicyAction): string {
  const what = service === undefined ? action : `${action} ${service}`
  switch (action) {
    case 'scale':
      return `${what} by ${by}, up to ${max ?? 'no more'}`
    case 'eject':
      return `${what} for ${writeDuration(forMs)}`
    case 'failover':
      return `${what} to ${to}`
    case 'command':
      return `command ${withoutPasswords(line ?? '')}`
    default:
      return what
  }
}

export const serviceOf = ({ service }: PolicyAction, event: AnyEvent): string | undefined => service ?? event.service ?? labelsOf(event)?.service

export const labelsOf = (event: AnyEvent): Readonly<Record<string, string>> | undefined =>
  event.type === 'alert.fired' ? event.data.labels : undefined

function serviceFor(action: PolicyAction, event: AnyEvent, operations: PolicyOperations): ServiceStatus {
  const name = serviceOf(action, event)
  if (name === undefined) throw new Refused(`${event.type} is of no service, and the policy names none`)
  try {
    return operations.service(name)
  } catch (error) {
    throw new Refused(messageOf(error))
  }
}

/** All clients of the service go to one version of it, until somebody says otherwise; not to one that could not serve them. */
function failover({ name }: ServiceStatus, to: string, actor: Actor, operations: PolicyOperations): Planned {
  if (operations.split(name).shares?.[to] === 1) throw new Refused(`all clients of ${name} are at ${to} already`)
  const ready = operations.endpoints().some((endpoint) => endpoint.service === name && endpoint.version === to && canServe(endpoint))
  if (!ready) throw new Refused(`no endpoint of ${name} with the version ${to} could serve`)
  return { target: `${name} to ${to}`, run: () => operations.setSplit(name, { [to]: 1 }, { actor }) }
}

const canServe = ({ state, health, ejected }: Pick<EndpointStatus, 'state' | 'health' | 'ejected'>): boolean =>
  state === 'active' && health === 'healthy' && ejected === undefined

/** The one that the event is of, unless it is the last that works. */
function endpointFor(event: AnyEvent, operations: PolicyOperations): EndpointStatus {
  const { address } = event.data as { readonly address?: unknown }
  const wanted = event.instance ?? labelsOf(event)?.instance
  const all = operations.endpoints()
  const found = all.find(
    ({ id, instance, host, port }) =>
      (wanted !== undefined && (instance === wanted || id === wanted)) || id === address || staticEndpointId(host, port) === address,
  )
  if (!found) throw new Refused(`${event.type} is of no endpoint that is there`)
  if (found.state === 'maintenance') throw new Refused(`${found.id} is in maintenance already`)
  const others = all.filter((each) => each.service === found.service && each.id !== found.id && canServe(each))
  if (others.length === 0) throw new Refused(`${found.id} is the last endpoint of ${found.service} that could serve`)
  return found
}

async function command(
  { name }: PolicyConfig,
  { command: line = '', cwd, timeout }: PolicyAction,
  event: AnyEvent,
  stopped: AbortSignal,
  onStart: (pid: number) => void,
): Promise<void> {
  const env = { HOLDFAST_POLICY: name, HOLDFAST_SERVICE: event.service ?? labelsOf(event)?.service ?? '', HOLDFAST_EVENT: eventText(event) }
  const timeUp = AbortSignal.timeout(timeout)
  const cut = AbortSignal.any([timeUp, stopped])
  const run = runCommand({ kind: 'command', command: line, cwd, exitCode: 0 }, cut, { env, onStart })
  // Whoever waits for the end of a command that cannot be killed waits for ever.
  const late = new Promise<never>((_resolve, reject) => {
    cut.addEventListener(
      'abort',
      () => {
        const why = stopped.aborted
          ? 'holdfast was stopped meanwhile, and the command was killed'
          : `it took longer than ${timeout / 1_000} s and was killed`
        reject(new HoldfastError('timeout', why))
      },
      { once: true },
    )
  })
  run.catch(() => undefined)
  const { outcome, message } = await Promise.race([run, late])
  if (outcome !== 'pass') throw new HoldfastError('command_failed', message)
}

/** As JSON; of one that is too large, without its data. */
function eventText(event: AnyEvent): string {
  const text = JSON.stringify(event)
  return Buffer.byteLength(text) <= eventBytesMax
    ? text
    : JSON.stringify({ ...event, message: event.message.slice(0, 1_000), data: {}, truncated: true })
}
