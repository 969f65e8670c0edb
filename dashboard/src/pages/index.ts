/**
 * Every page: one file and one line. `path` may have parameters (`/services/:name`), which the view gets as properties; `nav` puts it into the navigation,
 * in the order of this list.
 */
import type { FunctionComponent } from 'preact'
import type { IconName } from '../ui/icon.tsx'
import { CheckPage } from './check.tsx'
import { Checks } from './checks.tsx'
import { Overview } from './overview.tsx'
import { ServicePage } from './service.tsx'
import { Services } from './services.tsx'

export interface PageEntry {
  readonly path: string
  // A view takes the parameters that its path has.
  readonly view: FunctionComponent<Record<string, string>>
  readonly nav?: NavEntry
}

interface NavEntry {
  readonly label: string
  readonly icon: IconName
  readonly group: '' | 'Services' | 'Operate' | 'Record'
  /** A number beside the label: what is firing. */
  readonly count?: FunctionComponent
}

const page = (path: string, view: unknown, nav?: NavEntry): PageEntry => ({ path, view: view as PageEntry['view'], ...(nav && { nav }) })

export const pages: readonly PageEntry[] = [
  page('/', Overview, { label: 'Overview', icon: 'overview', group: '' }),
  page('/services', Services, { label: 'Services', icon: 'services', group: 'Services' }),
  page('/services/:name', ServicePage),
  page('/services/:name/:part', ServicePage),
  page('/checks', Checks, { label: 'Checks', icon: 'checks', group: 'Operate' }),
  page('/checks/:name', CheckPage),
]

type NavPage = PageEntry & { readonly nav: NavEntry }
const inNavigation = pages.filter((one): one is NavPage => one.nav !== undefined)
export const navigation: readonly (readonly [string, readonly NavPage[]])[] = ['', 'Services', 'Operate', 'Record']
  .map((group) => [group, inNavigation.filter(({ nav }) => nav.group === group)] as const)
  .filter(([, entries]) => entries.length > 0)
