/** What a worker is told of sessions: the cookie that keeps a client at its endpoint, and the shares of the revisions of a service. */

export interface StickyView {
  /** Name of the cookie. */
  readonly cookie: string
  /** Seconds that a client is kept after its last visit, give or take half; undefined: as long as it keeps the cookie. */
  readonly ttlSeconds?: number | undefined
  /** Clients of a draining endpoint stay until its deadline. */
  readonly drain: boolean
}

export interface SplitView {
  /** Share of the clients by revision; 0: nobody. */
  readonly shares: Readonly<Record<string, number>>
  /** Whose value tells clients apart, in lower case; undefined: their address. */
  readonly by?: { readonly by: 'header' | 'cookie'; readonly name: string } | undefined
}
