/** A configuration as programs give it: an object in the shape of the file, or the file's text. */

/** The keys of `docs/configuration.md`. Values may be written as in the file: `'30s'`, `'512MB'`. Which are wrong is said with their path when it is read. */
export type ConfigInput = string | ConfigObject

export interface ConfigObject {
  readonly name?: string
  readonly data?: string
  readonly api?: { readonly port?: number; readonly host?: string; readonly [key: string]: unknown }
  readonly listeners?: Readonly<Record<string, { readonly port?: number; readonly host?: string; readonly [key: string]: unknown }>>
  readonly services: Readonly<Record<string, ServiceInput>>
  readonly [key: string]: unknown
}

export interface ServiceInput {
  /** Run by Holdfast, on `$PORT`. */
  readonly command?: string
  /** Run by somebody else. */
  readonly endpoints?: readonly (string | { readonly address: string; readonly weight?: number })[]
  readonly routes?: readonly unknown[]
  readonly instances?: unknown
  readonly balance?: unknown
  readonly health?: unknown
  readonly resilience?: unknown
  readonly [key: string]: unknown
}

/** JSON is YAML. */
export const configText = (config: ConfigInput): string => (typeof config === 'string' ? config : JSON.stringify(config))
