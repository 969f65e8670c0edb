/** The public status page. */
export interface StatusPageConfig {
  /** undefined: the name of the whole. */
  readonly title?: string | undefined
  /** Where the public finds it; undefined: not told. */
  readonly url?: string | undefined
  /** Days of uptime that are shown. */
  readonly days: number
  /** In order; undefined: every service with routes, by its own name. */
  readonly services?: readonly ShownServiceConfig[] | undefined
}

export interface ShownServiceConfig {
  readonly service: string
  /** For the public; undefined: the name of the service. */
  readonly name?: string | undefined
  readonly group?: string | undefined
}
