/** The tree that leads an alert to its receivers (Alertmanager, dispatch/route.go): the first child that matches takes it, and the next ones too where it says `continue`. */
import type { Labels } from '../../kernel/labels.ts'
import { matches, written, type Matcher } from './matchers.ts'

export interface RouteOptions {
  readonly receiver: string
  /** `...`: all labels. */
  readonly groupBy: readonly string[] | '...'
  readonly groupWaitMs: number
  readonly groupIntervalMs: number
  readonly repeatIntervalMs: number
  readonly muteTimes: readonly string[]
  readonly activeTimes: readonly string[]
  /** What is new in a group does not wait for its interval. Alertmanager has nothing of the kind: false there. */
  readonly urgent: boolean
  /** Further receivers, while nobody acknowledges. */
  readonly escalate: readonly EscalationStep[]
}

export interface EscalationStep {
  /** Since the group was first told of. */
  readonly afterMs: number
  readonly receiver: string
}

export interface RouteConfig extends Partial<RouteOptions> {
  readonly matchers?: readonly Matcher[]
  readonly continue?: boolean
  readonly routes?: readonly RouteConfig[]
}

export interface AlertRoute {
  /** Its place in the tree, which stays as long as the tree does: `{}/{severity="page"}/0`. */
  readonly id: string
  /** As Alertmanager writes it, without the number: `{}/{severity="page"}`. */
  readonly key: string
  readonly options: RouteOptions
  readonly matchers: readonly Matcher[]
  readonly continues: boolean
  readonly routes: readonly AlertRoute[]
}

export const routeDefaults: Omit<RouteOptions, 'receiver'> = {
  groupBy: [],
  groupWaitMs: 30_000,
  groupIntervalMs: 5 * 60_000,
  repeatIntervalMs: 4 * 60 * 60_000,
  muteTimes: [],
  activeTimes: [],
  urgent: false,
  escalate: [],
}

/** What a route does not say it has from its parent; times of silence and activity, and whom it escalates to, are its own. */
export function routeTree(config: RouteConfig & { readonly receiver: string }): AlertRoute {
  return made(config, { ...routeDefaults, receiver: config.receiver }, '', '')
}

function made(config: RouteConfig, parent: RouteOptions, path: string, keys: string): AlertRoute {
  const { matchers = [], continue: continues = false, routes = [], ...own } = config
  const given = Object.fromEntries(Object.entries<unknown>(own).filter(([, value]) => value !== undefined)) as Partial<RouteOptions>
  const options = { ...parent, muteTimes: [], activeTimes: [], escalate: [], ...given }
  const mine = `{${matchers.map(written).join(',')}}`
  const [id, key] = [`${path}${mine}`, `${keys}${mine}`]
  return { id, key, options, matchers, continues, routes: routes.map((child, i) => made(child, options, `${id}/${i}`, `${key}/`)) }
}

/** All routes that take it; the root takes what nobody else does. */
export function routesFor(route: AlertRoute, labels: Labels): readonly AlertRoute[] {
  if (!matches(route.matchers, labels)) return []
  const found: AlertRoute[] = []
  for (const child of route.routes) {
    const taken = routesFor(child, labels)
    found.push(...taken)
    if (taken.length > 0 && !child.continues) break
  }
  return found.length > 0 ? found : [route]
}

/** The labels that make a group of it. */
export function groupLabels({ options: { groupBy } }: AlertRoute, labels: Labels): Labels {
  if (groupBy === '...') return labels
  return Object.fromEntries(groupBy.flatMap((name) => (Object.hasOwn(labels, name) ? [[name, labels[name] ?? '']] : [])))
}
