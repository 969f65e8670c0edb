/** Changes that could not be told: each once, and when there are too many, everything. */
export const pendingMax = 1_000

export class Pending {
  #keys = new Set<string>()
  #tags = new Set<string>()
  #all = false

  get empty(): boolean {
    return !this.#all && this.#keys.size === 0 && this.#tags.size === 0
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

  /** All of it; nothing is pending any more. */
  take(): { readonly all: boolean; readonly keys: readonly string[]; readonly tags: readonly string[] } {
    const taken = { all: this.#all, keys: [...this.#keys], tags: [...this.#tags] }
    this.#all = false
    this.#keys = new Set()
    this.#tags = new Set()
    return taken
  }
}
