/** The declaration of the public status page, and what no single key of it can know. */
import type { StatusPageConfig } from '../types.ts'
import type { Report } from './checks.ts'
import { filled, integer, nameOf } from './scalars.ts'
import { key, list, object, optional, switchable, type Draft, type Value } from './schema.ts'
import { nearest, quote } from './words.ts'

/** Longer is not kept of a day. */
const daysMax = 400
const shown = (expected: string) => filled('text', expected, { max: 80 })

export const statusPage = switchable(
  {
    title: optional(shown('a title of at most 80 characters'), { doc: 'The headline.', without: 'the `name` of the whole' }),
    url: optional(filled('URL', 'a URL such as https://status.example.com', { matching: /^https?:\/\/[^\s/?#]+(?:\/[^\s?#]*)?$/ }), {
      doc: 'Where the public finds it; the JSON documents tell it.',
      without: 'they do not',
    }),
    days: key(integer(1, daysMax), { doc: 'How many days of uptime are shown.', default: 90 }),
    services: optional(
      list(
        object(
          {
            service: key(nameOf('service'), { doc: 'Which service.' }),
            name: optional(shown('a name of at most 80 characters'), { doc: 'What it is called in public.', without: 'the name of the service' }),
            group: optional(shown('a name of at most 80 characters'), { doc: 'The headline under which it stands.', without: 'Services' }),
          },
          { short: ['service'], compact: true },
        ),
      ),
      { doc: 'What is shown, in this order; no other service is.', without: 'every service with routes, by its own name' },
    ),
  },
  { on: true },
)

type StatusPageSettings = Value<typeof statusPage>

export function checkStatusPage(settings: Draft<StatusPageSettings>, services: Readonly<Record<string, unknown>>, report: Report): void {
  if (settings === undefined || settings === 'off') return
  const known = Object.keys(services)
  const names = new Map<string, string>()
  const seen = new Set<string>()
  settings.services?.forEach((one, index) => {
    const path = `statusPage.services[${index}]`
    const service = one?.service
    if (service === undefined) return
    if (!known.includes(service)) {
      const near = nearest(service, known)
      report.problem(path, { message: `there is no service ${quote(service)}`, found: service, hint: near === undefined ? 'name a service of this file' : `did you mean ${quote(near)}?` })
    } else if (seen.has(service)) report.problem(path, { message: `${service} is shown already`, hint: 'name each service once' })
    seen.add(service)
    const name = one?.name ?? service
    const other = names.get(name)
    if (other !== undefined && other !== service) report.problem(path, { message: `has the same name as ${other}: ${quote(name)}`, hint: 'nobody could tell them apart: give one of them another name' })
    names.set(name, service)
  })
}

export function toStatusPage(settings: StatusPageSettings): StatusPageConfig | undefined {
  if (settings === 'off') return undefined
  const { title, url, days, services } = settings
  return { ...(title !== undefined && { title }), ...(url !== undefined && { url }), days, ...(services && { services }) }
}
