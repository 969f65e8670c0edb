/**
 * Every page: one file and one line. `path` may have parameters (`/services/:name`), which the view gets as properties; `nav` puts it into the navigation,
 * in the order of this list.
 */
import type { FunctionComponent } from 'preact'
import type { IconName } from '../ui/icon.tsx'
import { AlertPage } from './alert.tsx'
import { Alerts, FiringCount } from './alerts.tsx'
import { Audit } from './audit.tsx'
import { Cache } from './cache.tsx'
import { CheckPage } from './check.tsx'
import { Checks } from './checks.tsx'
import { Dependencies } from './dependencies.tsx'
import { Events } from './events.tsx'
import { IncidentPage } from './incident.tsx'
import { Incidents } from './incidents.tsx'
import { NodePage } from './node.tsx'
import { Overview } from './overview.tsx'
import { Rules } from './rules.tsx'
import { Scaling } from './scaling.tsx'
import { ProfilePage } from './profile.tsx'
import { Profiles } from './profiles.tsx'
import { Receivers } from './receivers.tsx'
import { ServicePage } from './service.tsx'
import { Services } from './services.tsx'
import { Settings } from './settings.tsx'
import { Silences } from './silences.tsx'
import { TrafficMap } from './traffic.tsx'

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
  page('/traffic', TrafficMap, { label: 'Traffic map', icon: 'traffic', group: 'Services' }),
  page('/alerts', Alerts, { label: 'Alerts', icon: 'alerts', group: '', count: FiringCount }),
  page('/alerts/silences', Silences),
  page('/alerts/receivers', Receivers),
  page('/alerts/:id', AlertPage),
  page('/incidents', Incidents, { label: 'Incidents', icon: 'incidents', group: '' }),
  page('/incidents/:id', IncidentPage),
  page('/checks', Checks, { label: 'Checks', icon: 'checks', group: 'Services' }),
  page('/checks/:name', CheckPage),
  page('/rules', Rules, { label: 'Rules', icon: 'rules', group: 'Operate' }),
  page('/dependencies', Dependencies, { label: 'Dependencies', icon: 'dependencies', group: 'Services' }),
  page('/profiles', Profiles, { label: 'Profiles', icon: 'profiles', group: 'Operate' }),
  page('/profiles/:id', ProfilePage),
  page('/scaling', Scaling, { label: 'Scaling', icon: 'scaling', group: 'Operate' }),
  page('/cache', Cache, { label: 'Cache', icon: 'cache', group: 'Operate' }),
  page('/node', NodePage, { label: 'Node', icon: 'node', group: 'Operate' }),
  page('/events', Events, { label: 'Events', icon: 'events', group: 'Record' }),
  page('/audit', Audit, { label: 'Audit', icon: 'audit', group: 'Record' }),
  page('/settings', Settings, { label: 'Settings', icon: 'settings', group: 'Record' }),
  page('/settings/:part', Settings),
  page('/services/:name', ServicePage),
  page('/services/:name/:part', ServicePage),
]

type NavPage = PageEntry & { readonly nav: NavEntry }
const inNavigation = pages.filter((one): one is NavPage => one.nav !== undefined)
export const navigation: readonly (readonly [string, readonly NavPage[]])[] = ['', 'Services', 'Operate', 'Record']
  .map((group) => [group, inNavigation.filter(({ nav }) => nav.group === group)] as const)
  .filter(([, entries]) => entries.length > 0)
