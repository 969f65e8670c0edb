/** A request as rules see it, and what they may answer in place of the service. */

export interface RequestReading {
  readonly method: string
  /** In origin form, as the client wrote it, or `*`. */
  readonly target: string
  /** The Host field's value; empty when there is none. */
  readonly host: string
  /** Who is at the other end of the connection. */
  readonly address: string
  /** It came over TLS. */
  readonly secure: boolean
  readonly headBytes: number
  /** −1: not known yet. */
  readonly bodyLength: number
  /** The value of the field with this lower-case name, several joined by commas; undefined: there is none. */
  field(name: string): string | undefined
}

/** An answer by rule. */
export interface RuleAnswer {
  readonly status: number
  /** undefined: it is no error. */
  readonly error: 'http_request_denied' | 'http_request_error' | undefined
  readonly message: string
  readonly details?: string | undefined
  /** Further lines of its head, each with CR LF. */
  readonly fields?: string | undefined
  /** There is no body. */
  readonly empty?: boolean | undefined
}

/** Looks at a request before the service gets it: an answer in its place, or undefined to go on. */
export type Guard = (request: RequestReading) => RuleAnswer | undefined
