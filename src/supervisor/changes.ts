/** Whoever wants to know that something has changed, and whoever waits until it has. */

export class Changes {
  readonly #listeners = new Set<() => void>()
  #isTold = true

  /** Calls back after every change, at most once a tick. */
  on(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) }
  }

  tell(): void {
    if (!this.#isTold) return
    this.#isTold = false
    queueMicrotask(() => {
      this.#isTold = true
      for (const listener of this.#listeners) listener()
    })
  }

  /** Resolves when the condition holds; it is looked at after every change. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => {
      const listening = this.on(() => {
        if (!condition()) return
        listening[Symbol.dispose]()
        resolve()
      })
    })
  }
}
