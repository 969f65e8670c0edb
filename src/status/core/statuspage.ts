/** The page as JSON, in the shapes of Statuspage's public API, so that its clients and widgets can read it. Source: Statuspage, "Status API" (v2). */
import type { ComponentView, IncidentView, MaintenanceView, StatusView } from '../types.ts'
import { idOf } from './view.ts'

const iso = (at: number): string => new Date(at).toISOString()
const isoOrNull = (at: number | undefined): string | null => (at === undefined ? null : iso(at))

export function pageOf({ id, title, url, at }: StatusView): object {
  return { id, name: title, url: url ?? '', time_zone: 'Etc/UTC', updated_at: iso(at) }
}

export const statusOf = ({ indicator, description }: StatusView): object => ({ indicator, description })

/** Groups come as components too, before their members. */
export function componentsOf(view: StatusView): readonly object[] {
  const seen = new Set<string>()
  return view.components.flatMap((one, position) => {
    if (one.group === undefined || seen.has(one.group)) return [componentOf(one, position + 1, view)]
    seen.add(one.group)
    return [groupOf(one.group, position + 1, view), componentOf(one, position + 1, view)]
  })
}

const common = (view: StatusView): object => ({ description: null, showcase: true, start_date: null, page_id: view.id, only_show_if_degraded: false })

function componentOf({ id, name, status, since, group, percent, days }: ComponentView, position: number, view: StatusView): object {
  return {
    id,
    name,
    status,
    created_at: iso(since),
    updated_at: iso(since),
    position,
    ...common(view),
    group: false,
    group_id: group === undefined ? null : idOf('group', group),
    uptime: {
      days: days.length,
      percent: percent ?? null,
      daily: days.map((day) => ({
        day: day.day,
        state: day.state,
        percent: day.percent ?? null,
        down_seconds: Math.round(day.downMs / 1_000),
        unknown_seconds: Math.round(day.unknownMs / 1_000),
      })),
    },
  }
}

const gravest = ['operational', 'under_maintenance', 'degraded_performance', 'partial_outage', 'major_outage'] as const

function groupOf(name: string, position: number, view: StatusView): object {
  const members = view.components.filter(({ group }) => group === name)
  const status = gravest[Math.max(...members.map((member) => gravest.indexOf(member.status)))]
  const since = iso(Math.max(...members.map((member) => member.since)))
  const components = members.map(({ id }) => id)
  return {
    id: idOf('group', name),
    name,
    status,
    created_at: since,
    updated_at: since,
    position,
    ...common(view),
    group: true,
    group_id: null,
    components,
  }
}

export const incidentsOf = (view: StatusView): readonly object[] => view.incidents.map((one) => incidentOf(one, view))
export const unresolvedOf = (view: StatusView): readonly object[] =>
  view.incidents.filter(({ resolvedAt }) => resolvedAt === undefined).map((one) => incidentOf(one, view))

function incidentOf({ id, title, impact, startedAt, resolvedAt, updates, components }: IncidentView, view: StatusView): object {
  const [newest] = updates
  const monitoring = updates.find(({ status }) => status === 'monitoring')
  return {
    id,
    name: title,
    status: newest?.status ?? 'investigating',
    impact,
    created_at: iso(startedAt),
    updated_at: iso(newest?.at ?? startedAt),
    started_at: iso(startedAt),
    monitoring_at: isoOrNull(monitoring?.at),
    resolved_at: isoOrNull(resolvedAt),
    shortlink: view.url ?? '',
    page_id: view.id,
    components: view.components.flatMap((one, index) => (components.includes(one.name) ? [componentOf({ ...one, days: [] }, index + 1, view)] : [])),
    incident_updates: updates.map(({ at, status, text }, index) => ({
      id: idOf('update', `${id}-${updates.length - index}`),
      incident_id: id,
      status,
      body: text,
      created_at: iso(at),
      updated_at: iso(at),
      display_at: iso(at),
    })),
  }
}

/** Only of that status, or all. */
export const maintenancesOf = (view: StatusView, only?: MaintenanceView['status']): readonly object[] =>
  view.maintenances.filter(({ status }) => only === undefined || status === only).map((one) => maintenanceOf(one, view))

function maintenanceOf({ id, title, startedAt, endsAt, status, components }: MaintenanceView, view: StatusView): object {
  const at = iso(startedAt ?? view.at)
  return {
    id,
    name: title,
    status,
    impact: 'maintenance',
    created_at: at,
    updated_at: at,
    started_at: at,
    monitoring_at: null,
    resolved_at: null,
    shortlink: view.url ?? '',
    page_id: view.id,
    scheduled_for: at,
    scheduled_until: isoOrNull(endsAt),
    components: view.components.flatMap((one, index) => (components.includes(one.name) ? [componentOf({ ...one, days: [] }, index + 1, view)] : [])),
    // There is always one with Statuspage, and its clients read it.
    incident_updates: [
      {
        id: idOf('update', `${id}-${status}`),
        incident_id: id,
        status,
        body: status === 'scheduled' ? 'Maintenance is planned.' : 'Maintenance is in progress.',
        created_at: at,
        updated_at: at,
        display_at: at,
      },
    ],
  }
}
