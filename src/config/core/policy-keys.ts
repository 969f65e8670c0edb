/** The declaration of `policies`, what no single key of it can know, and the way to the configuration and back. */
import { eventTypes, type EventType } from '../../kernel/events.ts'
import { hours, minutes, seconds } from '../../kernel/time.ts'
import { policyActions, type PolicyConfig, type PolicyTrigger } from '../types.ts'
import type { Report } from './checks.ts'
import { boolean, duration, filled, integer, nameOf, oneOf, rate, text } from './scalars.ts'
import { key, list, map, object, optional, type Draft, type Scalar, type Value } from './schema.ts'
import { versionName } from './session-keys.ts'
import { either, nearest, quote } from './words.ts'

/** More of them nobody oversees. */
const policiesMax = 200
type CheckWord = Extract<PolicyTrigger, { kind: 'check' }>['to']

/** `instance.crashLooping`, `alert HighErrors`, `check database down`. */
const trigger: Scalar<PolicyTrigger> = {
  kind: 'scalar',
  name: 'event type, `alert NAME` or `check NAME down`',
  expected: 'the type of an event such as instance.crashLooping, "alert NAME", or "check NAME down" (or up, warning, critical)',
  read(text) {
    const [, alert] = /^alert ([^\s]{1,200})$/.exec(text) ?? []
    if (alert !== undefined) return { kind: 'alert', name: alert }
    const [, name, to = 'down'] = /^check ([A-Za-z0-9][\w-]{0,62})(?: (down|up|warning|critical))?$/.exec(text) ?? []
    if (name !== undefined) return { kind: 'check', name, to: to as CheckWord }
    return eventTypes.includes(text as EventType) ? { kind: 'event', type: text } : undefined
  },
  write(on) {
    switch (on.kind) {
      case 'alert':
        return `alert ${on.name}`
      case 'check':
        return `check ${on.name} ${on.to}`
      case 'event':
        return on.type
    }
  },
  hint(text) {
    const near = nearest(text, eventTypes)
    return near === undefined ? undefined : `did you mean "${near}"?`
  },
}

/** `check front down`, as it is written. */
export const describeTrigger = (on: PolicyTrigger): string => String(trigger.write(on))

const action = object(
  {
    action: key(oneOf(policyActions), { doc: '`restart` a service, `eject` an endpoint from the traffic, `scale` a service, `failover` to another version of it, run a `command`.' }),
    service: optional(nameOf('service'), { doc: 'Whose.', without: 'the one that the event is of' }),
    by: key(integer(1, 100), { doc: 'Of `scale`: so many instances more.', default: 1 }),
    max: optional(integer(1, 1_000), { doc: 'Of `scale`, which needs it: up to so many.', without: 'required for `scale`' }),
    for: key(duration(seconds(1)), { doc: 'Of `eject`: so long; then it gets traffic again.', default: minutes(5) }),
    to: optional(versionName, { doc: 'Of `failover`, which needs it: the version that gets all clients of the service, until `holdfast split SERVICE --reset` or another policy says otherwise.', without: 'required for `failover`' }),
    command: optional(filled('text', 'a text'), { doc: 'Of `command`: a command line. It finds the event in `$HOLDFAST_EVENT` (JSON), and `$HOLDFAST_SERVICE`, `$HOLDFAST_POLICY`; of the environment of Holdfast only what services get too.', without: 'required for `command`' }),
    timeout: key(duration(seconds(1), hours(1)), { doc: 'Of `command`: then its process group is killed.', default: seconds(10) }),
    cwd: key(filled('path', 'a path'), { doc: 'Of `command`: where it runs, from the directory of the file.', default: '.' }),
  },
  { short: ['action'] },
)

const policy = object({
  name: key(nameOf('policy'), { doc: 'What it is called in events.' }),
  on: key(trigger, { doc: 'What sets it off.' }),
  match: key(map('field', filled('name', 'the name of a field', { max: 64 }), text('text')), {
    doc: 'Only where all of these are equal: `service`, `instance`, `level`, a field of the event’s data, a label of the alert.',
    default: {},
  }),
  do: key(list(action, { min: 1 }), { doc: 'What is done, one after the other; the first that fails or is refused ends it.' }),
  cooldown: key(duration(seconds(0)), { doc: 'After a run, so long not again.', default: minutes(5) }),
  limit: key(rate, { doc: 'At most so often.', default: { count: 3, per: hours(1) } }),
  dryRun: key(boolean, { doc: '`true`: only says what it would do.', default: false }),
  enabled: key(boolean, { doc: '`false`: it is not there.', default: true }),
})

export const policyKeys = list(policy)
type PolicySettings = Value<typeof policy>

/** Versions of each service that the file knows. */
type Services = ReadonlyMap<string, readonly string[]>

export function checkPolicies(policies: Draft<readonly PolicySettings[]>, services: Services, checks: readonly string[], report: Report): void {
  if ((policies?.length ?? 0) > policiesMax) report.problem('policies', { message: `there are more than ${policiesMax}` })
  const names = new Map<string, string>()
  policies?.forEach((one, index) => {
    if (one === undefined) return
    const path = `policies[${index}]`
    const other = one.name === undefined ? undefined : names.get(one.name)
    if (other !== undefined) report.problem(`${path}.name`, { message: `is the name of ${other} already` })
    if (one.name !== undefined) names.set(one.name, path)
    const on = one.on as PolicyTrigger | undefined
    if (on?.kind === 'check' && !checks.includes(on.name)) {
      const near = nearest(on.name, checks)
      report.problem(`${path}.on`, { message: `there is no check "${on.name}"`, ...(near !== undefined && { hint: `did you mean "${near}"?` }) })
    }
    if (on?.kind === 'event' && on.type.startsWith('policy.')) report.problem(`${path}.on`, { message: 'what policies do cannot set off policies', hint: 'name the event that comes first' })
    one.do?.forEach((each, at) => {
      if (each !== undefined) checkAction(`${path}.do[${at}]`, each, services, report)
    })
  })
}

function checkAction(path: string, { action, service, max, to, command }: NonNullable<Draft<PolicySettings['do'][number]>>, services: Services, report: Report): void {
  if (action === 'failover' && to === undefined) report.keyProblem(path, { message: 'failover needs to', hint: 'say to which version: { action: failover, service: shop, to: standby }' })
  if (action !== undefined && action !== 'failover' && to !== undefined) report.keyProblem(`${path}.to`, { message: `means nothing for ${action}`, hint: 'leave it out' })
  if (action === 'scale' && max === undefined) report.keyProblem(path, { message: 'scale needs max', hint: 'say up to how many: { action: scale, by: 1, max: 6 }' })
  if (action === 'command' && command === undefined) report.keyProblem(path, { message: 'command needs a command line', hint: 'write { action: command, command: ./page.sh }' })
  if (action !== undefined && action !== 'command' && command !== undefined) report.keyProblem(`${path}.command`, { message: `means nothing for ${action}`, hint: 'leave it out' })
  if (service === undefined) return
  const versions = services.get(service)
  if (versions === undefined) {
    const near = nearest(service, [...services.keys()])
    report.problem(`${path}.service`, { message: `there is no service "${service}"`, ...(near !== undefined && { hint: `did you mean "${near}"?` }) })
  } else if (action === 'failover' && to !== undefined && !versions.includes(to)) {
    const hint = versions.length === 0 ? 'give its endpoints a version each' : `there are: ${either(versions, 'and')}`
    report.problem(`${path}.to`, { message: `no endpoint of ${service} has the version ${quote(to)}`, hint })
  }
}

export const toPolicies = (policies: readonly PolicySettings[], resolve: (path: string) => string): readonly PolicyConfig[] =>
  policies.map(({ do: actions, ...rest }) => ({ ...rest, do: actions.map((one) => ({ ...one, cwd: resolve(one.cwd) })) }))

export const fromPolicies = (policies: readonly PolicyConfig[]): Draft<readonly PolicySettings[]> => policies.map((one) => ({ ...one }))
