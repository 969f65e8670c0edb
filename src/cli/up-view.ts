/**
 * What `holdfast up` shows: on a terminal a block that is redrawn in place; elsewhere (a file, the journal) plain lines, every event among them, so that they
 * tell the whole story; with --json one document per line.
 */
import { stripVTControlCharacters } from 'node:util'
import type { Serving, UpProgress } from '../app/progress.ts'
import { unreachable } from '../kernel/errors.ts'
import { formatTimeOfDay } from './format.ts'
import { renderEvent } from './event-line.ts'
import type { AnyEvent } from '../kernel/events.ts'
import { LiveBlock } from './live.ts'
import type { Output } from './output.ts'
import { printable, type Tone } from './style.ts'
import { hang } from './wrap.ts'

type ServiceProgress = Extract<UpProgress, { kind: 'service' }>

export class UpView {
  readonly #out: Output
  readonly #wallTime: () => number
  readonly #block: LiveBlock
  readonly #services = new Map<string, ServiceProgress>()
  #phase: 'starting' | 'serving' | 'stopping' = 'starting'
  #step = ''

  constructor(out: Output, wallTime: () => number) {
    this.#out = out
    this.#wallTime = wallTime
    this.#block = new LiveBlock(out)
  }

  show(progress: UpProgress): void {
    if (this.#out.json) {
      this.#out.item(progress, '')
      return
    }
    switch (progress.kind) {
      case 'step':
        this.#showStep(progress.text)
        break
      case 'service':
        this.#showService(progress)
        break
      case 'event':
        this.#showEvent(progress.event)
        break
      case 'serving':
        this.#showServing(progress)
        break
      case 'warning':
        this.#block.say(`${this.#out.paint('yellow', 'warning:')} ${printable(progress.text, false)}`)
        break
      case 'stopping':
        this.#showStopping(progress.text)
        break
      case 'stopped':
        this.#block.clear()
        this.#out.say('stopped; nothing is left running')
        break
      default:
        unreachable(progress)
    }
  }

  /** Takes the block off the screen, so that an error stands alone. */
  end(): void {
    this.#block.clear()
  }

  #showStep(text: string): void {
    if (this.#phase === 'serving') {
      this.#block.say(`${this.#stamp()} ${text}`)
      return
    }
    this.#step = text
    this.#draw()
  }

  /** On a terminal the block says the same, and there is `holdfast events`. */
  #showEvent(event: AnyEvent): void {
    if (!this.#out.interactive && event.level !== 'debug') this.#out.say(renderEvent(event, this.#out))
  }

  #showService(progress: ServiceProgress): void {
    // Where events are told, they say all that this does.
    if (!this.#out.interactive) return
    const before = this.#services.get(progress.service)
    this.#services.set(progress.service, progress)
    if (this.#phase !== 'serving') this.#draw()
    else if (before?.ready !== progress.ready || before.desired !== progress.desired || before.text !== progress.text) {
      this.#block.say(`${this.#stamp()} ${this.#serviceLine(progress)}`)
    }
  }

  #showStopping(text: string): void {
    // What is shown of services from here on is what is told from here on.
    if (this.#phase !== 'stopping') this.#services.clear()
    this.#phase = 'stopping'
    this.#step = text
    this.#draw()
  }

  #showServing(serving: Serving): void {
    const services = [...this.#services.values()]
    if (this.#out.interactive) {
      this.#block.clear()
      for (const service of services) for (const line of this.#serviceLines(service)) this.#out.say(`  ${line}`)
    }
    this.#phase = 'serving'
    this.#out.say(renderServing(serving, this.#out))
  }

  #draw(): void {
    const services = [...this.#services.values()].flatMap((service) => this.#serviceLines(service).map((line) => `  ${line}`))
    this.#block.show(this.#step === '' ? services : [this.#step, ...services])
  }

  #serviceLine(progress: ServiceProgress): string {
    return this.#openingOf(progress) + printable(progress.text, false)
  }

  /** Where it is redrawn in place, a line that the terminal breaks by itself would leave a part of it behind. */
  #serviceLines(progress: ServiceProgress): readonly string[] {
    const opening = this.#openingOf(progress)
    const [first = '', ...more] = hang(stripVTControlCharacters(opening), printable(progress.text, false), this.#out.columns - 3)
    return [opening + first.slice(stripVTControlCharacters(opening).length), ...more]
  }

  #openingOf({ service, ready, desired }: ServiceProgress): string {
    const width = Math.max(...[...this.#services.keys()].map((name) => name.length))
    const tone: Tone = ready >= desired ? 'green' : ready > 0 ? 'yellow' : 'cyan'
    return `${service.padEnd(width)}  ${this.#out.paint(tone, `${ready}/${desired}`)}  `
  }

  #stamp(): string {
    return this.#out.paint('dim', formatTimeOfDay(this.#wallTime()))
  }
}

/** How `renderServing` opens. The program writes it once, when all services have come to rest. */
export const servingTitle = 'holdfast is serving'

/** Where everything is, a line that can be tried, and how to end it. */
export function renderServing(
  serving: Serving,
  { paint }: Pick<Output, 'paint'>,
  stop = 'Ctrl-C drains and stops everything; a second one cuts it short',
): string {
  const rows: (readonly [string, string])[] = [
    ...serving.listeners.map(({ name, url }) => [serving.listeners.length > 1 ? `balancer ${name}` : 'balancer', url] as const),
    ['dashboard', `${serving.dashboardUrl}${serving.dashboardUrl.includes('login=') ? `  ${paint('dim', '(works once)')}` : ''}`],
    ['API', `${serving.apiUrl}/api/docs`],
    ...(serving.exampleUrl === undefined ? [] : [['try it', `curl ${serving.exampleUrl}`] as const]),
    ['stop it', stop],
  ]
  const width = Math.max(...rows.map(([label]) => label.length))
  const title =
    serving.adopted > 0
      ? `${servingTitle}; it took over ${serving.adopted} running ${serving.adopted === 1 ? 'instance' : 'instances'}`
      : servingTitle
  return ['', paint('bold', title), '', ...rows.map(([label, value]) => `  ${paint('dim', label.padEnd(width))}  ${value}`), ''].join('\n')
}
