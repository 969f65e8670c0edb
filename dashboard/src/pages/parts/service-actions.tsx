/** What may be done with a service, each with what comes of it. */
import { post, put } from '../../lib/api.ts'
import { plural } from '../../lib/format.ts'
import { endpointsOf, tables, type LiveService } from '../../lib/live.ts'
import { ActionButton, confirm } from '../../ui/confirm.tsx'

export function ServiceActions({ service }: { service: LiveService }) {
  const { kind, maintenance, name } = service
  const notOurs = kind === 'static' ? 'Its endpoints are run by somebody else.' : undefined
  const hasBreaker = endpointsOf(name).some((id) => tables.endpoints.get(id)?.breaker !== undefined)
  return (
    <>
      <ActionButton permission="scale:service" unavailable={notOurs} onClick={() => scale(service)}>
        Scale
      </ActionButton>
      <ActionButton permission="restart:service" unavailable={notOurs} onClick={() => restart(service)}>
        Restart
      </ActionButton>
      <ActionButton permission="maintain:service" onClick={() => maintain(service)}>
        {maintenance ? 'End maintenance' : 'Maintenance'}
      </ActionButton>
      <ActionButton
        permission="maintain:service"
        unavailable={hasBreaker ? undefined : 'It has no circuit breaker: see resilience.breaker in the configuration.'}
        onClick={() => breaker(service)}
      >
        Breaker
      </ActionButton>
      <ActionButton permission="change:cache" onClick={() => purge(service)}>
        Purge cache
      </ActionButton>
    </>
  )
}

export function scale({ name, desired }: Pick<LiveService, 'name' | 'desired'>): void {
  confirm({
    title: `Scale ${name}`,
    consequence: ({ instances = '' }) => {
      const wanted = Number(instances)
      if (wanted === desired) return `It has ${plural(desired, 'instance')} already.`
      if (wanted > desired)
        return `${plural(wanted - desired, 'instance')} more ${wanted - desired === 1 ? 'is' : 'are'} started; each gets traffic when it is ready.`
      if (wanted === 0) return 'All instances are drained and stopped. Nothing serves its requests until it is scaled up again.'
      return `${plural(desired - wanted, 'instance')} ${desired - wanted === 1 ? 'is' : 'are'} drained, then stopped; no request is lost.`
    },
    action: 'Scale',
    fields: [
      { name: 'instances', label: 'Instances', type: 'number', value: String(desired), min: 0, max: 10_000, required: true },
      { name: 'reason', label: 'Reason', placeholder: 'for those who read the events later' },
    ],
    run: async ({ instances, reason }) => {
      const { from, to } = await post<{ from: number; to: number }>('/scaling/scale', {
        service: name,
        instances: Number(instances),
        ...(reason && { reason }),
      })
      return `${name}: ${from} → ${to} instances`
    },
  })
}

function restart({ name, desired }: LiveService): void {
  confirm({
    title: `Restart ${name}`,
    consequence: `${plural(desired, 'instance')} ${desired === 1 ? 'is' : 'are'} replaced one by one: the new one is ready before the old one goes, so no request is lost. Long connections (WebSockets) are closed.`,
    action: 'Restart',
    run: async () => {
      const { replaced } = await post<{ replaced: readonly unknown[] }>(`/services/${encodeURIComponent(name)}/restart`)
      return `${name}: ${plural(replaced.length, 'instance')} replaced`
    },
  })
}

function maintain({ name, maintenance }: LiveService): void {
  confirm({
    title: maintenance ? `End the maintenance of ${name}` : `Switch ${name} into maintenance`,
    consequence: maintenance
      ? 'Requests go to its instances again.'
      : 'Its instances go on, but get no requests: clients are answered 503 with Retry-After, or by its fallback. It stays so until it is ended, also after a restart.',
    action: maintenance ? 'End it' : 'Switch on',
    grave: !maintenance,
    run: async () => {
      await put('/maintenance', { service: name, enabled: !maintenance })
      return maintenance ? `${name} serves again` : `${name} is in maintenance`
    },
  })
}

const breakerActions = {
  isolate: 'All its breakers are held open: its requests are answered by its fallback, or refused, until they are let go.',
  close: 'All its breakers are closed: its requests go to its endpoints again. They may open again by themselves.',
  reset: 'All its breakers are closed, and forget what they have counted.',
} as const

function breaker({ name }: LiveService): void {
  confirm({
    title: `The circuit breakers of ${name}`,
    consequence: ({ order = 'isolate' }) => breakerActions[order as keyof typeof breakerActions],
    action: 'Do it',
    fields: [
      {
        name: 'order',
        label: 'What to do',
        type: 'select',
        value: 'isolate',
        options: [
          ['isolate', 'Isolate: hold them open'],
          ['close', 'Close'],
          ['reset', 'Reset'],
        ],
      },
    ],
    run: async ({ order = 'isolate' }) => {
      await post(`/circuit-breakers/${encodeURIComponent(name)}/${order}`)
      return `${name}: breakers ${{ isolate: 'isolated', close: 'closed', reset: 'reset' }[order] ?? order}`
    },
  })
}

function purge({ name }: LiveService): void {
  confirm({
    title: `Purge what is cached of ${name}`,
    consequence: 'The balancer forgets the answers that it keeps of it. The next requests go to its instances, which have more to do for a while.',
    action: 'Purge',
    grave: true,
    fields: [{ name: 'soft', label: 'Only mark them stale: they may still be given while new ones are fetched', type: 'checkbox' }],
    run: async ({ soft }) => {
      const { responses } = await post<{ responses: number }>('/cache/purge', { service: name, ...(soft === 'true' && { soft: true }) })
      return `${name}: ${plural(responses, 'answer')} purged`
    },
  })
}
