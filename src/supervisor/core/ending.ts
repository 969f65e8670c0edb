/**
 * Where a restart is decided: an instance has ended, and its slot learns what that means for it.
 *
 *   ordered, or its service goes ─────────────────▶ nothing
 *   a stranger had its port ──────────────────────▶ again, on another port
 *   it was to replace one that works ─────────────▶ the old one stays; the rollout or the restart by hand has failed
 *   anything else ──▶ restart policy ─────────────▶ at once | backoff | crashLooping | done
 *
 * It is started again by the planner, as an empty slot that need not rest (plan.ts).
 */
import { assert, unreachable } from '../../kernel/errors.ts'
import { after, elapsed, ms, type Duration, type Instant } from '../../kernel/time.ts'
import { isStopFirst, type Instance, type Service, type Slot } from './fleet-state.ts'
import { readySinceOf, type InstanceEnd } from './instance-machine.ts'
import { judge, type Ended } from './judge.ts'
import { rememberFailure } from './pardon.ts'
import { failRestart } from './restart-order.ts'
import { decideRestart } from './restart-policy.ts'
import type { Roster } from './roster.ts'

/** Before another try on a port that a stranger had, when it must be that port. */
const fixedPortRetry: Duration = ms(250)

export function onEnd(roster: Roster, service: Service, instance: Instance, end: InstanceEnd, now: Instant): void {
  const ended = judge(instance, end, now)
  roster.instances.delete(instance.id)
  roster.tell({ type: 'ended', instance, ended })
  if (service.retiring.delete(instance)) return
  const slot = service.slots.get(instance.slot)
  assert(slot, `instance ${instance.id} has no slot`)
  const wasServing = slot.serving === instance
  if (wasServing) slot.serving = undefined
  else slot.replacement = undefined
  const wasStopped = end.type === 'exit' && end.stop !== undefined && !end.stop.failed
  if (wasStopped || service.leaving) return
  if (retriesPort(roster, service, slot, ended, now)) return
  if (!wasServing || !ended.ready) failRestart(roster, service, slot, instance, ended.reason)
  if (!wasServing && slot.serving?.revision === instance.revision) slot.healAt = after(now, service.config.restart.backoff.max)
  else if (!wasServing || (instance.trial && !ended.ready)) failRollout(roster, service, instance, ended, now)
  else bookFailure(roster, service, slot, instance, end, ended, now)
}

/** A stranger was faster at the port: another port, and no failure of the program. */
function retriesPort(roster: Roster, service: Service, slot: Slot, ended: Ended, now: Instant): boolean {
  if (ended.ready || !ended.exit?.portTaken) return false
  if (++slot.portRetries > roster.options.limits.portRetries) {
    slot.portRetries = 0
    return false
  }
  if (isStopFirst(service)) slot.rest = { phase: 'backoff', until: after(now, fixedPortRetry), wait: fixedPortRetry, reason: ended.reason }
  return true
}

function failRollout(roster: Roster, service: Service, instance: Instance, ended: Ended, now: Instant): void {
  if (instance.revision !== service.revision) return
  const { initial, max } = service.config.restart.backoff
  const failures = (service.failedRollout?.failures ?? 0) + 1
  const retries = ended.class !== 'config' && !isStopFirst(service) && service.config.restart.policy !== 'never'
  const retryAt = retries ? after(now, ms(Math.min(initial * 2 ** (failures - 1), max))) : undefined
  service.failedRollout = { failures, retryAt, reason: ended.reason }
  roster.tell({ type: 'rolloutFailed', service: service.name, revision: instance.revision, reason: ended.reason, retries })
}

function bookFailure(roster: Roster, service: Service, slot: Slot, instance: Instance, end: InstanceEnd, ended: Ended, now: Instant): void {
  const readySince = readySinceOf(instance.state)
  const { history, verdict } = decideRestart(
    slot.history,
    {
      class: ended.class,
      readyFor: readySince === undefined ? undefined : elapsed(readySince, now),
      bootTime: service.bootTime,
      resource: end.type === 'spawnFailure' && end.failure.kind === 'resource',
      final: ended.class === 'config' && (ended.exit?.code === 78 || service.stable !== instance.revision),
    },
    { config: service.config.restart, limits: roster.options.restartLimits },
    now,
    roster.options.random.next(),
  )
  rememberFailure(slot, instance.id)
  slot.history = history
  slot.failed = true
  let entered = false
  switch (verdict.type) {
    case 'restart':
      slot.rest = { phase: 'none' }
      break
    case 'wait':
      slot.rest = { phase: verdict.crashLooping ? 'crashLooping' : 'backoff', until: verdict.until, wait: verdict.wait, reason: ended.reason }
      entered = verdict.entered
      break
    case 'done':
      slot.rest = { phase: 'done', reason: verdict.reason }
      break
    default:
      unreachable(verdict)
  }
  roster.tell({ type: 'resting', service: service.name, slot, rest: slot.rest, entered, last: instance.id })
}
