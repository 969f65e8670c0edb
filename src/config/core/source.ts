/**
 * What the parser reads: a plain tree of maps, lists and scalars, each of which knows where it stands. A YAML
 * file becomes this tree, and an environment variable becomes a leaf of it, so that both are checked by the
 * same code and a problem can always point at what the user wrote.
 */

/** Where something was written. Lines and columns count from 1; `width` is how many columns it takes on its line. */
export type Place =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number; readonly width: number }
  | { readonly kind: 'environment'; readonly name: string }

export type SourceNode = ScalarNode | ListNode | MapNode

export interface ScalarNode {
  readonly kind: 'scalar'
  /** As written, without quotes; types are decided by the schema, never guessed from the text. */
  readonly text: string
  /** Without quotes: an empty text, `~` or `null` then means that there is no value. */
  readonly plain: boolean
  readonly place: Place
}

export interface ListNode {
  readonly kind: 'list'
  readonly items: readonly SourceNode[]
  readonly place: Place
}

export interface MapNode {
  readonly kind: 'map'
  readonly entries: readonly MapEntry[]
  readonly place: Place
}

export interface MapEntry {
  readonly key: string
  readonly keyPlace: Place
  readonly value: SourceNode
}

export function isNothing(node: SourceNode): boolean {
  return node.kind === 'scalar' && node.plain && /^(~|null|Null|NULL)?$/.test(node.text)
}

/** `holdfast.yml:7:5` or `environment PORT`. */
export function placeText(place: Place): string {
  return place.kind === 'file' ? `${place.file}:${place.line}:${place.column}` : `environment ${place.name}`
}

/** `services`, `web` → `services.web`. */
export function joinKey(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

export function joinIndex(path: string, index: number): string {
  return `${path}[${index}]`
}

/** The path of what holds this: `services.web.routes[0].path` → `services.web.routes[0]` → `services.web.routes`; '' at the top. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('.'), path.lastIndexOf('[')))
}
