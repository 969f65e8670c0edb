/** Changes that could not be told: each once, and when there are too many, everything. Until they are, what lies there of them is not believed. */
export const pendingMax = 10_000

interface Changes {
  readonly all: boolean
  readonly keys: ReadonlySet<string>
  readonly tags: ReadonlySet<string>
}

const none: Changes = { all: false, keys: new Set(), tags: new Set() }

const concerns = ({ all, keys, tags: those }: Changes, key: string, tags: readonly string[]): boolean =>
  all || keys.has(key) || (those.size > 0 && tags.some((tag) => those.has(tag)))

export class Pending {
  #keys = new Set<string>()
  #tags = new Set<string>()
  #all = false
  /** Taken, and not told yet. */
  #underWay = none

  get empty(): boolean {
    return !this.#all && this.#keys.size === 0 && this.#tags.size === 0 && this.#underWay === none
  }

  keys(keys: readonly string[]): void {
    for (const key of keys) this.#keys.add(key)
    this.#bound()
  }

  tags(tags: readonly string[]): void {
    for (const tag of tags) this.#tags.add(tag)
    this.#bound()
  }

  all(): void {
    this.#all = true
    this.#keys.clear()
    this.#tags.clear()
  }

  #bound(): void {
    if (this.#all || this.#keys.size + this.#tags.size > pendingMax) this.all()
  }

  /** Whether what lies there under this key, with these tags, may be older than a change that is still to be told. */
  concerns(key: string, tags: readonly string[]): boolean {
    return !this.empty && (concerns({ all: this.#all, keys: this.#keys, tags: this.#tags }, key, tags) || concerns(this.#underWay, key, tags))
  }

  /** All of it, to be told. */
  take(): { readonly all: boolean; readonly keys: readonly string[]; readonly tags: readonly string[] } {
    const taken = { all: this.#all, keys: this.#keys, tags: this.#tags }
    this.#underWay = taken
    this.#all = false
    this.#keys = new Set()
    this.#tags = new Set()
    return { all: taken.all, keys: [...taken.keys], tags: [...taken.tags] }
  }

  /** What was taken is told, or is pending again. */
  told(): void {
    this.#underWay = none
  }
}
