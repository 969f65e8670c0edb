/** Calls of one connection that begins on this machine: who makes them can be found by its port. */
export interface Flow {
  /** The client's. */
  readonly port: number
  readonly service: string
  readonly calls: number
}
