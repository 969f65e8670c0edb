/** What a check of this machine or configuration says. */
export interface Finding {
  /** `data directory` */
  readonly check: string
  /** ok; warn: it works, but not as it should; fail: `holdfast up` will not work. */
  readonly verdict: 'ok' | 'warn' | 'fail'
  /** What was found. */
  readonly text: string
  /** What to do; always there unless ok. */
  readonly mend?: string
}
