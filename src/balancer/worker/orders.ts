/** What the primary tells a worker, once it works. What concerns the process, and the sockets it is handed, is not here (`main.ts`). */
import type { PrimaryToWorker, WorkerToPrimary } from '../messages.ts'
import type { Worker } from './worker.ts'

export type Order = Exclude<PrimaryToWorker, { readonly type: 'start' | 'open' | 'listener' | 'shutdown' }>

export function obey(worker: Worker, message: Order, tell: (message: WorkerToPrimary) => void): void {
  worker.tick()
  switch (message.type) {
    case 'closeListener':
      worker.closeListener(message)
      return
    case 'report':
      worker.report()
      tell({ type: 'reported', id: message.id })
      return
    case 'view':
      worker.applyView(message.view, new Set(message.unhealthy))
      return
    case 'gone':
      worker.fleet.gone(message.endpoint, message.reason, message.exitedAt)
      return
    case 'health':
      worker.fleet.health(message.endpoint, message.healthy, message.reason)
      return
    case 'roles':
      worker.tcp.roles(message.roles)
      return
    case 'ejected':
      worker.fleet.ejected(message.endpoint, message.forMs, message.reason)
      return
    case 'trip':
      worker.fleet.trip(message.endpoint)
      return
    case 'breakerRestored':
      worker.fleet.restoreBreaker(message.endpoint, message.snapshot)
      return
    case 'breakerOrder':
      worker.fleet.breakerOrder(message.service, message.action)
      return
    case 'mark':
      worker.fleet.suspicion.mark(message)
      return
    case 'reserve':
      worker.fleet.suspicion.reserve(message.endpoint, message.on)
      return
    case 'verdict':
      worker.fleet.suspicion.verdict(message)
      return
    case 'standing':
      worker.fleet.setStanding(message.endpoint, message.standing)
      return
    case 'asked':
      worker.fleet.asked(message.said)
      return
    case 'warm':
      worker.fleet.warm(message.endpoint, message.windowMs, message.ageMs)
      return
    case 'lease':
      worker.leased(message)
      return
    case 'recall':
      worker.recalled(message.quota)
      return
    case 'slotsGiven':
      worker.fleet.slotsGiven(message)
      return
    case 'rateGiven':
      worker.fleet.rateGiven(message.scope, message.grants)
      return
    case 'ticketKeys':
      worker.connections.setTicketKeys(Buffer.from(message.keys, 'base64'))
      return
    case 'sessionKeys':
      worker.fleet.setSessionKeys(Buffer.from(message.keys, 'base64'))
      return
    case 'explain':
      tell({ type: 'explained', id: message.id, trails: worker.trailsOf(message.request) })
      return
    case 'drain':
      worker.fleet.drain(message.id, message.endpoint, message.deadlineMs)
      return
  }
}
