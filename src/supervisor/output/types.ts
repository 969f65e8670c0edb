/** What may be asked of the output of instances, and what comes back. */

export interface LogQuery {
  /** Only of this instance. */
  readonly instance?: string
  /** Wall time in milliseconds. */
  readonly since?: number
  /** A plain text that the line must contain. */
  readonly grep?: string
  /** @default 200 last lines, at most 10,000 */
  readonly limit?: number
}

export interface LogLine {
  /** Wall time in milliseconds, right to a quarter of a second. */
  readonly time: number
  readonly service: string
  readonly instance: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}
