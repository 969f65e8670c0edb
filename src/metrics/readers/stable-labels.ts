/** The same labels are the same object from one reading to the next, so that nobody has to sort or compare them again. */
import type { Labels } from '../../kernel/labels.ts'

export class StableLabels {
  #before = new Map<string, Labels>()
  #now = new Map<string, Labels>()

  /** Those that were not asked for since the last `turn` are forgotten. */
  turn(): void {
    this.#before = this.#now
    this.#now = new Map()
  }

  of(service: string, name?: 'instance' | 'endpoint', value = ''): Labels {
    const key = name === undefined ? service : `${service}\0${name}\0${value}`
    const labels = this.#now.get(key) ?? this.#before.get(key) ?? (name === undefined ? { service } : { service, [name]: value })
    this.#now.set(key, labels)
    return labels
  }
}
