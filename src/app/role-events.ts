/** What is told of the roles of databases. Among replicas nothing is worth an event: the status shows it. */
import type { ProxySignal } from '../balancer/index.ts'
import type { EventSink } from '../kernel/events.ts'
import { publicEndpointId } from '../registry/index.ts'

export type RoleSignal = Extract<ProxySignal, { type: 'roleChanged' | 'roleRefused' | 'primaryContested' }>

export function tellRole(events: EventSink, signal: RoleSignal): void {
  const { service } = signal
  switch (signal.type) {
    case 'roleChanged':
      tellChange(events, signal)
      return
    case 'roleRefused': {
      const address = publicEndpointId(service, signal.endpoint)
      events.emit('endpoint.roleRefused', {
        message: `${address} of ${service} would not say whether it is the primary: ${signal.reason}; look at tcp.user and tcp.password of the service`,
        level: 'error',
        service,
        data: { address, reason: signal.reason },
      })
      return
    }
    case 'primaryContested': {
      const addresses = signal.endpoints.map((endpoint) => publicEndpointId(service, endpoint))
      events.emit('service.primaryContested', {
        message: `${addresses.join(' and ')} of ${service} all say that they are the primary, and none holds the writes of the others: none is written to`,
        level: 'critical',
        service,
        data: { addresses },
      })
    }
  }
}

function tellChange(events: EventSink, { service, endpoint, from, to, reason }: Extract<RoleSignal, { type: 'roleChanged' }>): void {
  const address = publicEndpointId(service, endpoint)
  if (to === 'primary') {
    events.emit('endpoint.promoted', { message: `${address} of ${service} is the primary`, service, data: { address, from } })
  } else if (from === 'primary') {
    const why = reason ?? (to === 'stale' ? 'another one has taken over' : to === 'unknown' ? 'it cannot be asked' : `it is a ${to} now`)
    events.emit('endpoint.demoted', {
      message: `${address} of ${service} is not the primary any more: ${why}`,
      level: 'warning',
      service,
      data: { address, to, reason: why },
    })
  }
}
