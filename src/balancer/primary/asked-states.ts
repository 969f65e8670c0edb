/**
 * What endpoints ask for in the field `Holdfast-State` of their answers, kept for all workers: joins `core/asked-state.ts` to the messages. Only
 * services with `health.agent` are listened to.
 */
import { asksNothing, readAsked, type AskedState } from '../../instance/core/asked-state.ts'
import type { RoutingView } from '../core/routing-view.ts'

export interface AskedStatesOptions {
  /** It asks for something else than before. */
  readonly onChange: (endpoint: string) => void
  /** What was last said, by endpoint: for the workers, which tell only what is new. */
  readonly onSaid: (said: Readonly<Record<string, string>>) => void
}

export class AskedStates {
  readonly #options: AskedStatesOptions
  readonly #states = new Map<string, { readonly said: string; readonly state: AskedState }>()
  #listened: ReadonlySet<string> = new Set()

  constructor(options: AskedStatesOptions) {
    this.#options = options
  }

  /** By endpoint, as it was said last. */
  get said(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#states].map(([id, { said }]) => [id, said]))
  }

  /** undefined: it has said nothing. */
  of(endpoint: string): AskedState | undefined {
    return this.#states.get(endpoint)?.state
  }

  /** Endpoints that are gone, or are listened to no more, ask for nothing. */
  setView({ services }: RoutingView): void {
    this.#listened = new Set(services.flatMap(({ agent, endpoints }) => (agent === true ? endpoints.map(({ id }) => id) : [])))
    const before = [...this.#states.keys()]
    for (const id of before) {
      if (this.#listened.has(id)) continue
      this.#states.delete(id)
      this.#options.onChange(id)
    }
    if (this.#states.size < before.length) this.#options.onSaid(this.said)
  }

  /** Heard by a worker or a probe. A line that cannot be read is remembered, so that it is not told again and again, and changes nothing. */
  hear(endpoint: string, line: string): void {
    const before = this.#states.get(endpoint)
    if (!this.#listened.has(endpoint) || before?.said === line) return
    const state = readAsked(line, before?.state ?? asksNothing)
    this.#states.set(endpoint, { said: line, state: state ?? before?.state ?? asksNothing })
    this.#options.onSaid(this.said)
    if (state !== undefined) this.#options.onChange(endpoint)
    else process.stderr.write(`${endpoint} said ${JSON.stringify(line.slice(0, 100))} in Holdfast-State, which is no state\n`)
  }
}
