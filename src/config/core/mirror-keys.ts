/** The declaration of mirrors, and what no single key of them can know. */
import type { Report } from './checks.ts'
import type { MirrorSettings, ServiceSettings } from './service-keys.ts'
import { boolean, nameOf, percent, size } from './scalars.ts'
import { key, list, object, optional, type Draft, type Scalar } from './schema.ts'
import { nearest, quote } from './words.ts'

/** Methods that change nothing (RFC 9110 §9.2.1), and are often used. */
const safeMethods = ['GET', 'HEAD', 'OPTIONS'] as const

export const mirrorKeys = <M extends string>(method: Scalar<M | (typeof safeMethods)[number]>) =>
  ({
    mirror: optional(
      object({
        service: key(nameOf('service'), { doc: 'Gets the copies, marked `X-Holdfast-Mirror: 1`. Its answers go to nobody.' }),
        share: key(percent, { doc: 'Of the requests, so many are copied.' }),
        compare: key(boolean, { doc: 'Holds status, `Content-Type` and body of its answers against those that clients got.', default: true }),
        methods: key(list(method, { min: 1 }), { doc: 'Requests with these methods are copied. One that changes something changes it twice.', default: [...safeMethods] }),
        maxBody: key(size(0, 1_024 ** 2), { doc: 'A request with a longer body is not copied; of the bodies of answers so much is compared.', default: 64 * 1_024 }),
      }),
      { doc: 'Copies a share of the requests to another service, for trying it out with them. Clients notice nothing of it.', without: 'nothing is copied', change: 'routing' },
    ),
  }) as const

export function checkMirror(path: string, name: string, mirror: Draft<MirrorSettings>, services: Readonly<Record<string, Draft<ServiceSettings>>>, report: Report): void {
  const target = mirror?.service
  if (target === undefined) return
  if (target === name) report.problem(`${path}.service`, { message: 'a service cannot be its own mirror', hint: 'name another one' })
  else if (!(target in services)) {
    const near = nearest(target, Object.keys(services))
    report.problem(`${path}.service`, { message: `there is no service ${quote(target)}`, found: target, hint: near === undefined ? 'name another service of this file' : `did you mean ${quote(near)}?` })
  } else if (services[target]?.tcp) report.problem(`${path}.service`, { message: `${target} carries connections, not requests`, hint: 'name a service of HTTP' })
}
