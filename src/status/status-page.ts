/**
 * The page and its documents, made when somebody asks and at most once a second: however many ask, the rest of the control process does not notice. What has not changed
 * keeps its tag, so that who has it gets no body.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { atomFeed } from './core/atom.ts'
import { statusPage } from './core/html.ts'
import * as statuspage from './core/statuspage.ts'
import { style } from './core/style.ts'
import { statusView, type ViewInputs } from './core/view.ts'
import type { ComponentStatus, StatusDocument, StatusDocumentName, StatusView } from './types.ts'

const freshMs = 1_000

export interface StatusPageOptions {
  /** All that the page is made of, as of now. */
  readonly inputs: () => Omit<ViewInputs, 'since' | 'now'>
  /** Wall time in milliseconds. */
  readonly now: () => number
}

interface Made {
  readonly at: number
  readonly view: StatusView
  readonly documents: Map<StatusDocumentName, StatusDocument>
}

export class StatusPage {
  readonly #options: StatusPageOptions
  readonly #standing = new Map<string, { readonly status: ComponentStatus; readonly since: number }>()
  #made: Made | undefined
  /** By name, of the view before: what is the same is not packed again. */
  #before = new Map<StatusDocumentName, StatusDocument>()

  constructor(options: StatusPageOptions) {
    this.#options = options
  }

  document(name: StatusDocumentName): StatusDocument {
    const made = this.#current()
    const ready = made.documents.get(name)
    if (ready) return ready
    const document = packed(textOf(name, made.view), contentTypeOf(name), this.#before.get(name))
    made.documents.set(name, document)
    this.#before.set(name, document)
    return document
  }

  #current(): Made {
    const now = this.#options.now()
    const made = this.#made
    // A clock that was set back makes it anew, too.
    if (made && now >= made.at && now - made.at < freshMs) return made
    const view = statusView({ ...this.#options.inputs(), since: (id, status) => this.#since(id, status, now), now })
    this.#forget(view)
    return (this.#made = { at: now, view, documents: new Map() })
  }

  #since(id: string, status: ComponentStatus, now: number): number {
    const known = this.#standing.get(id)
    if (known?.status === status) return known.since
    this.#standing.set(id, { status, since: now })
    return now
  }

  /** What the configuration no longer shows. */
  #forget({ components }: StatusView): void {
    const shown = new Set(components.map(({ id }) => id))
    for (const id of this.#standing.keys()) if (!shown.has(id)) this.#standing.delete(id)
  }
}

function packed(text: string, contentType: string, before: StatusDocument | undefined): StatusDocument {
  const body = Buffer.from(text)
  if (before?.body.equals(body)) return before
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  return { contentType, body, gzip: gzipSync(body), etag }
}

function contentTypeOf(name: StatusDocumentName): string {
  if (name === 'page') return 'text/html; charset=utf-8'
  return name === 'feed' ? 'application/atom+xml; charset=utf-8' : 'application/json; charset=utf-8'
}

function textOf(name: StatusDocumentName, view: StatusView): string {
  if (name === 'page') return statusPage(view)
  if (name === 'feed') return atomFeed(view)
  return JSON.stringify(documentOf(name, view))
}

function documentOf(name: Exclude<StatusDocumentName, 'page' | 'feed'>, view: StatusView): object {
  const page = statuspage.pageOf(view)
  switch (name) {
    case 'status':
      return { page, status: statuspage.statusOf(view) }
    case 'components':
      return { page, components: statuspage.componentsOf(view) }
    case 'incidents':
      return { page, incidents: statuspage.incidentsOf(view) }
    case 'unresolved':
      return { page, incidents: statuspage.unresolvedOf(view) }
    case 'maintenances':
      return { page, scheduled_maintenances: statuspage.maintenancesOf(view) }
    case 'upcoming':
      return { page, scheduled_maintenances: statuspage.maintenancesOf(view, 'scheduled') }
    case 'active':
      return { page, scheduled_maintenances: statuspage.maintenancesOf(view, 'in_progress') }
    case 'summary':
    case 'all':
      return {
        page,
        status: statuspage.statusOf(view),
        components: statuspage.componentsOf(view),
        // Of Statuspage, a summary holds what goes on now only.
        incidents: name === 'all' ? statuspage.incidentsOf(view) : statuspage.unresolvedOf(view),
        scheduled_maintenances: statuspage.maintenancesOf(view),
      }
  }
}

/** What the page may load: its own style. */
export const statusPagePolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
