/**
 * The page for people: everything is in it, no script, no image, nothing from elsewhere. It reads well on a phone, in the dark, aloud, and without its style.
 * Times are UTC, as nothing here could know the reader's zone.
 */
import type { ComponentStatus, ComponentView, DayView, IncidentView, MaintenanceView, StatusView } from '../types.ts'
import { style } from './style.ts'
import { incidentDays } from './view.ts'

/** On a narrow screen only the last of the bars fit. */
const narrowDays = 30

export function statusPage(view: StatusView): string {
  const going = view.incidents.filter(({ resolvedAt }) => resolvedAt === undefined)
  const past = view.incidents.filter(({ resolvedAt }) => resolvedAt !== undefined)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(view.title)}: ${escape(view.description)}</title>
<link rel="alternate" type="application/atom+xml" title="Incidents and maintenance" href="/status/history.atom">
<style>${style}</style>
</head>
<body>
<header><h1>${escape(view.title)}</h1></header>
<main>
${banner(view)}
${going.length > 0 ? `<h2>Now</h2>\n${going.map(incident).join('\n')}` : ''}
${view.maintenances.length > 0 ? `<h2>Maintenance</h2>\n${view.maintenances.map(maintenance).join('\n')}` : ''}
${groups(view).map(group).join('\n')}
${view.components.length > 0 ? key : '<p class="card quiet">No service is shown here.</p>'}
<h2>Past incidents</h2>
${past.length > 0 ? past.map(incident).join('\n') : `<p class="card quiet">None in the last ${incidentDays} days.</p>`}
</main>
<footer><p>Times are UTC. Uptime is the share of requests that were served; time of which nothing is known is left out.</p><a href="/status.json">As JSON</a><a href="/status/history.atom">As a feed</a><span>Made by Holdfast</span></footer>
</body>
</html>
`
}

const banner = ({ indicator, description, at }: StatusView): string =>
  `<p class="card banner ${indicator}" role="status"><span class="dot"></span>${escape(description)}<small>as of ${time(at)}</small></p>`

function groups({ components }: StatusView): readonly { readonly name: string; readonly members: readonly ComponentView[] }[] {
  const names = [...new Set(components.map((one) => one.group ?? ''))]
  return names.map((name) => ({ name: name === '' ? 'Services' : name, members: components.filter((one) => (one.group ?? '') === name) }))
}

const group = ({ name, members }: { readonly name: string; readonly members: readonly ComponentView[] }): string =>
  `<h2>${escape(name)}</h2>\n<ul class="card components">\n${members.map(component).join('\n')}\n</ul>`

export const statusWords: Readonly<Record<ComponentStatus, string>> = {
  operational: 'Operational',
  degraded_performance: 'Degraded performance',
  partial_outage: 'Partial outage',
  major_outage: 'Major outage',
  under_maintenance: 'Under maintenance',
}

function component({ name, status, percent, days }: ComponentView): string {
  const troubled = days.filter(({ state }) => state === 'degraded' || state === 'outage').reverse()
  const shown = percent === undefined ? 'no data yet' : `${percentText(percent)} uptime`
  return `<li class="${status}"><div class="row"><h3>${escape(name)}</h3><span class="state">${statusWords[status]}</span></div>
<div class="bars" role="img" aria-label="${escape(barsAloud(days, percent))}">${days.map((day, index) => bar(day, index < days.length - narrowDays)).join('')}</div>
<div class="scale">${scaleStart(days.length)}<span>${shown}</span><span>Today</span></div>
${troubled.length > 0 ? `<details><summary>${troubled.length} ${troubled.length === 1 ? 'day' : 'days'} with disturbances</summary><ul>${troubled.map((day) => `<li>${escape(dayText(day))}</li>`).join('')}</ul></details>` : ''}</li>`
}

const scaleStart = (days: number): string =>
  days <= narrowDays
    ? `<span>${days} days ago</span>`
    : `<span class="wide">${days} days ago</span><span class="narrow">${narrowDays} days ago</span>`

const bar = (day: DayView, isOld: boolean): string => `<i class="${day.state}${isOld ? ' old' : ''}" title="${escape(dayText(day))}"></i>`

function barsAloud(days: readonly DayView[], percent: number | undefined): string {
  const count = (state: DayView['state']): number => days.filter((day) => day.state === state).length
  const parts = [`${count('operational')} good`, `${count('degraded')} degraded`, `${count('outage')} with an outage`, `${count('unknown')} unknown`]
  return `The last ${days.length} days: ${percent === undefined ? 'no data yet' : `${percentText(percent)} uptime`}; days: ${parts.join(', ')}`
}

function dayText({ day, percent, downMs, unknownMs }: DayView): string {
  if (percent === undefined) return `${day}: unknown`
  const parts = [`${day}: ${percentText(percent)}`]
  if (downMs >= 1_000) parts.push(`unavailable for ${span(downMs)}`)
  if (unknownMs >= 60_000) parts.push(`unknown for ${span(unknownMs)}`)
  return parts.join(', ')
}

/** Two places, rounded down: 100 is said of nothing less. */
export const percentText = (percent: number): string => `${(Math.floor(percent * 100 + 1e-7) / 100).toFixed(2).replace(/\.?0+$/, '')} %`

function span(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return `${Math.round(ms / 1_000)} s`
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const key = `<ul class="key"><li class="operational"><span class="dot"></span>good</li><li class="degraded"><span class="dot"></span>degraded</li><li class="outage"><span class="dot"></span>outage</li><li class="unknown"><span class="dot"></span>unknown</li></ul>`

function incident({ title, impact, startedAt, resolvedAt, updates, components }: IncidentView): string {
  const lasted = resolvedAt === undefined ? '' : `, lasted ${span(resolvedAt - startedAt)}`
  const affects = components.length > 0 ? `${components.map(escape).join(', ')} · ` : ''
  return `<article class="card incident ${impact}"><h3>${escape(title)}</h3>
<p class="meta">${affects}since ${time(startedAt)}${lasted}</p>
<ol class="updates">${updates.map(({ at, status, text }) => `<li><p><strong>${words(status)}.</strong> ${escape(text)}</p>${time(at)}</li>`).join('')}</ol></article>`
}

function maintenance({ title, startedAt, endsAt, status, components }: MaintenanceView): string {
  const from = startedAt === undefined ? '' : ` · ${status === 'scheduled' ? 'from' : 'since'} ${time(startedAt)}`
  const until = endsAt === undefined ? '' : ` until ${time(endsAt)}`
  return `<article class="card incident maintenance"><h3>${escape(title)}</h3><p class="meta">${components.map(escape).join(', ')} · ${words(status)}${from}${until}</p></article>`
}

const words = (status: string): string => {
  const plain = status.replaceAll('_', ' ')
  return plain.charAt(0).toUpperCase() + plain.slice(1)
}

function time(at: number): string {
  const iso = new Date(at).toISOString()
  return `<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC</time>`
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
