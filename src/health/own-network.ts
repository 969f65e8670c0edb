/** Whether this node itself sees the network: asked before a check is taken for down, and again and again while it does not. The rule is `core/own-network.ts`. */
import { after, ms, type Clock, type WallTime } from '../kernel/time.ts'
import { isBlind, seesAgain, voicesMax, type Voice } from './core/own-network.ts'
import { runOnce } from './one-run.ts'
import type { NetworkView, Probe } from './types.ts'

/** A survey that is no older than this is not made anew. */
const freshMs = 1_000
/** Between two looks while it is blind. */
const lookMs = 2_000
/** A canary that has not answered by then has not answered. */
const canaryTimeoutMs = 1_500

/** Somebody who passed before and may be asked again. */
export interface Witness {
  readonly name: string
  readonly group: string
  readonly timeoutMs: number
  readonly probe: Probe
}

export interface OwnNetworkDeps {
  readonly clock: Clock
  readonly canaries: () => readonly Probe[]
  /** Checks that passed when they were last made and go over the network, other than those of `group`. */
  readonly witnesses: (group: string | undefined) => readonly Witness[]
  readonly onChange: (view: NetworkView, forMs: number) => void
}

export class OwnNetwork {
  readonly #deps: OwnNetworkDeps
  #view: NetworkView = { blind: false, since: undefined, reason: undefined }
  /** Who passed before it went blind. */
  #before: readonly Witness[] = []
  #survey: { endedAt: number; readonly blind: Promise<boolean> } | undefined
  #timer: Disposable | undefined
  #stopped = false

  constructor(deps: OwnNetworkDeps) {
    this.#deps = deps
  }

  get view(): NetworkView {
    return this.#view
  }

  /** Whether a failure that would make a check fall is our own. Resolves within a timeout of the checks that are asked. */
  async isOurs(group: string): Promise<boolean> {
    if (this.#view.blind) return true
    const now = this.#deps.clock.now()
    if (this.#survey === undefined || now - this.#survey.endedAt > freshMs) {
      const survey = { endedAt: Infinity, blind: this.#ask(group) }
      this.#survey = survey
      void survey.blind.finally(() => (survey.endedAt = this.#deps.clock.now()))
    }
    return this.#survey.blind
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.[Symbol.dispose]()
  }

  async #ask(group: string): Promise<boolean> {
    const { canaries, witnesses } = this.#deps
    const chosen = canaries().length >= 2 ? [] : spread(witnesses(group))
    const [answered, voices] = await Promise.all([this.#canaries(), this.#voices(chosen)])
    const blind = isBlind(voices, group, answered) ?? false
    if (blind) this.#becomeBlind(witnesses(undefined), answered, voices)
    return blind
  }

  #becomeBlind(passed: readonly Witness[], answered: readonly boolean[], voices: readonly Voice[]): void {
    if (this.#view.blind || this.#stopped) return
    const failed = voices.filter((voice) => !voice.passed).length
    const reason =
      answered.length >= 2 ? `none of ${answered.length} canaries answers` : `${failed} of ${voices.length} unrelated checks fail at once`
    this.#before = passed
    this.#view = { blind: true, since: this.#deps.clock.wallTime(), reason }
    this.#deps.onChange(this.#view, 0)
    this.#lookLater()
  }

  #lookLater(): void {
    if (this.#stopped) return
    this.#timer = this.#deps.clock.schedule(after(this.#deps.clock.now(), ms(lookMs)), () => void this.#lookAgain())
  }

  async #lookAgain(): Promise<void> {
    const [answered, voices] = await Promise.all([this.#canaries(), this.#voices(this.#deps.canaries().length >= 2 ? [] : spread(this.#before))])
    if (this.#stopped) return
    if (!seesAgain(voices, answered) && (voices.length > 0 || answered.length > 0)) {
      this.#lookLater()
      return
    }
    const since: WallTime | undefined = this.#view.since
    this.#view = { blind: false, since: undefined, reason: undefined }
    this.#survey = undefined
    this.#deps.onChange(this.#view, since === undefined ? 0 : Math.max(0, this.#deps.clock.wallTime() - since))
  }

  #canaries(): Promise<readonly boolean[]> {
    const canaries = this.#deps.canaries()
    return canaries.length < 2 ? Promise.resolve([]) : Promise.all(canaries.map((canary) => this.#passes(canary, canaryTimeoutMs)))
  }

  #voices(witnesses: readonly Witness[]): Promise<readonly Voice[]> {
    return Promise.all(witnesses.map(async ({ group, probe, timeoutMs }) => ({ group, passed: await this.#passes(probe, timeoutMs) })))
  }

  #passes(probe: Probe, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settled = (): void => undefined
      runOnce(
        probe,
        timeoutMs,
        this.#deps.clock,
        ({ outcome }) => {
          resolve(outcome === 'pass')
        },
        settled,
      )
    })
  }
}

/** At most so many, of as many groups as there are: one of each group first. */
function spread(witnesses: readonly Witness[]): readonly Witness[] {
  const seen = new Set<string>()
  const [firsts, others]: [Witness[], Witness[]] = [[], []]
  for (const witness of witnesses) {
    ;(seen.has(witness.group) ? others : firsts).push(witness)
    seen.add(witness.group)
  }
  return [...firsts, ...others].slice(0, voicesMax)
}
