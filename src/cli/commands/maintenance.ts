import { defineCommand, required, text } from '../command.ts'
import { oneOf } from '../readers.ts'
import { unknownService } from './status.ts'

export const maintenance = defineCommand({
  name: 'maintenance',
  summary: 'take a service or an endpoint out of the traffic, and put it back',
  description:
    'A service in maintenance answers 503 with Retry-After; an endpoint in maintenance gets no new requests, and those in flight finish. Nothing is stopped.',
  arguments: {
    target: required('<service|endpoint>', 'the name of a service, or the id of an endpoint as `holdfast status` shows it', text),
    state: required('<on|off>', 'on: out of the traffic; off: back into it', oneOf('on', 'off')),
  },
  examples: ['holdfast maintenance shop on', 'holdfast maintenance 10.0.0.5:3000 off'],
  async run(context, { target, state }) {
    const api = await context.connect()
    const overview = await api.overview()
    const isService = overview.services.some((service) => service.name === target)
    const isEndpoint = overview.services.some((service) => service.endpoints.some((endpoint) => endpoint.id === target))
    if (!isService && !isEndpoint) throw unknownService(target, overview, 'service or endpoint')

    const enabled = state === 'on'
    await api.setMaintenance(isService ? { service: target } : { endpoint: target }, enabled)
    const kind = isService ? 'service' : 'endpoint'
    return { data: { [kind]: target, enabled }, text: `${kind} ${target} is ${enabled ? 'in maintenance' : 'back in the traffic'}` }
  },
})
