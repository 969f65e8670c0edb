/**
 * The mirror of a service: a share of its requests goes once more, as a copy, to another service, and what that answers is held against what
 * the client got. Whoever asked neither waits for it nor sees it.
 *
 *   answer begins ──share, method, room?──▶ copied ──next turn──▶ sent ──▶ both answers whole ──▶ same │ differs
 *                    └──▶ dropped                       └──▶ failed
 *
 * A copy is bytes of its own: those of the client are written over as soon as its answer is out.
 */
import { withoutQuery } from '../../core/mask.ts'
import {
  differenceOf,
  differencesMax,
  noMirrorCounts,
  type MirrorDifference,
  type MirroredAnswer,
  type MirrorResult,
  type MirrorTelemetry,
  type MirrorView,
} from '../../core/mirror.ts'
import { addressKey } from '../../core/picker.ts'
import { routingPath } from '../../core/request-path.ts'
import { systemClock } from '../../../kernel/system.ts'
import type { Random } from '../../../kernel/random.ts'
import { latin1 } from '../../http1/bytes.ts'
import type { ClientSide } from '../client-side.ts'
import { mirrorsMax } from '../limits.ts'
import type { RequestSender } from '../request-sender.ts'
import type { RequestWatch } from '../observe/watch.ts'
import type { ServiceRuntime } from '../service.ts'
import { MirroredRequest } from './mirrored-request.ts'
import { OriginalAnswer } from './original-answer.ts'

/** Says what a copy is, to whoever gets it. */
const mark = latin1('X-Holdfast-Mirror: 1\r\n')

export class Mirror {
  view: MirrorView
  readonly #random: Random
  readonly #underWay = new Set<MirroredRequest>()
  /** undefined: there is no such service. */
  #target: ServiceRuntime | undefined
  #counts = { ...noMirrorCounts } as Record<MirrorResult, number>
  #differences: MirrorDifference[] = []

  constructor(view: MirrorView, random: Random) {
    this.view = view
    this.#random = random
  }

  setView(view: MirrorView, target: ServiceRuntime | undefined): void {
    this.view = view
    this.#target = target
  }

  /** The head of the answer has come: copies the request while its bytes are there. Returns who looks at the answer; undefined: nobody. */
  copy(client: ClientSide, sender: RequestSender, watch?: RequestWatch): OriginalAnswer | undefined {
    const { facts } = client
    const { share, methods, maxBodyBytes, compare } = this.view
    if (!methods.includes(facts.method) || facts.upgrade !== undefined || client.longLived) return undefined
    if (share < 1 && this.#random.next() >= share) return undefined
    const target = this.#target
    if (target === undefined || this.#underWay.size >= mirrorsMax || target.view.maintenance) {
      this.count('dropped')
      return undefined
    }
    const label = sender.label()
    const copied = sender.copyWith(mark, maxBodyBytes)
    // A copy is not copied once more: two that mirror each other would do so for ever.
    if (copied === 'marked') return undefined
    if (copied === undefined) {
      this.count('dropped')
      return undefined
    }
    watch?.mirrored(target.name, client.worker.now)
    const path = withoutQuery(label.slice(facts.method.length + 1))
    const key = target.view.algorithm === 'ip-hash' ? addressKey(client.address) : routingPath(path)
    const original = compare ? new OriginalAnswer(facts.method, maxBodyBytes) : undefined
    const copy = new MirroredRequest({
      mirror: this,
      worker: client.worker,
      target,
      bytes: copied,
      key,
      method: facts.method,
      maxBodyBytes,
      original,
    })
    if (original !== undefined) this.#compare(original, copy, { request: client.requestId, method: facts.method, path })
    this.#underWay.add(copy)
    client.worker.dispatcher.add(copy)
    return original
  }

  #compare(original: OriginalAnswer, copy: MirroredRequest, about: Pick<MirrorDifference, 'request' | 'method' | 'path'>): void {
    const compareBoth = (): void => {
      if (original.answer === undefined || copy.answer === undefined) return
      if (original.answer === 'cut') this.count('dropped')
      else this.#compared(original.answer, copy.answer, about)
    }
    original.onSettled = compareBoth
    copy.onSettled = compareBoth
  }

  #compared(original: MirroredAnswer, mirrored: MirroredAnswer, about: Pick<MirrorDifference, 'request' | 'method' | 'path'>): void {
    const differs = differenceOf(original, mirrored)
    this.count(differs.length === 0 ? 'same' : 'differs')
    if (differs.length === 0) return
    this.#differences.push({ at: systemClock.wallTime(), ...about, differs, original, mirrored })
    if (this.#differences.length > differencesMax) this.#differences.shift()
  }

  /** It is over; its place is free. */
  done(copy: MirroredRequest): void {
    this.#underWay.delete(copy)
  }

  count(result: MirrorResult): void {
    this.#counts[result]++
  }

  sweep(now: number): void {
    for (const copy of this.#underWay) copy.sweep(now)
  }

  /** What is under way is given up. */
  close(): void {
    for (const copy of [...this.#underWay]) copy.giveUp()
  }

  /** What has come about since the last call. */
  take(): MirrorTelemetry {
    const taken = { counts: this.#counts, differences: this.#differences }
    this.#counts = { ...noMirrorCounts }
    this.#differences = []
    return taken
  }
}
