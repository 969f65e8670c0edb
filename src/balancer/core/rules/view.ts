/** The HTTP rules of a route or a service as the workers get them: the configuration, with the files of its pages read. */
import type { HttpRules } from '../../../config/types.ts'

/** An answer's body, ready to be sent. */
export interface PageView {
  readonly contentType: string
  readonly body: string
}

export interface RulesView extends HttpRules {
  /** By status (`404`), class (`5xx`) or `maintenance`; of services only. */
  readonly pages?: Readonly<Record<string, PageView>> | undefined
}

/** The rules of a route: what it says itself goes before what its service says. */
export function mergedRules(service: RulesView | undefined, route: RulesView | undefined): RulesView | undefined {
  if (service === undefined || route === undefined) return route ?? service
  const merged: Record<string, unknown> = { ...service }
  for (const [key, value] of Object.entries(route)) if (value !== undefined) merged[key] = value
  return merged
}
