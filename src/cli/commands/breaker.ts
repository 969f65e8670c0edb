import { defineCommand, required, text } from '../command.ts'
import { oneOf } from '../readers.ts'
import { unknownService } from './status.ts'

const done = { isolate: 'is held open: the service answers 503', close: 'is closed', reset: 'is closed, and has forgotten what it counted' }

export const breaker = defineCommand({
  name: 'breaker',
  summary: 'hold the circuit breaker of a service open, or let it go',
  description: 'While it is held open the service answers 503 and nothing is sent to its endpoints. The service needs `resilience.breaker`.',
  arguments: {
    service: required('<service>', 'the name of a service', text),
    action: required(
      '<isolate|close|reset>',
      'isolate: hold it open; close: let it go; reset: let it go and forget',
      oneOf('isolate', 'close', 'reset'),
    ),
  },
  examples: ['holdfast breaker shop isolate', 'holdfast breaker shop close'],
  async run(context, { service, action }) {
    const api = await context.connect()
    const overview = await api.overview()
    if (!overview.services.some(({ name }) => name === service)) throw unknownService(service, overview, 'service')
    await api.orderBreaker(service, action)
    return { data: { service, action }, text: `the breaker of ${service} ${done[action]}` }
  },
})
