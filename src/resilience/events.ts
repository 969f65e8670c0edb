/** Typed events: `policy.events.on('opened', (event) => …)` returns what ends the listening. Nothing is allocated when nobody listens. */
type Listener<T> = (event: T) => void

export interface Events<Map extends object> {
  on<Type extends keyof Map>(type: Type, listener: (event: Map[Type]) => void): Disposable
}

export class Emitter<Map extends object> implements Events<Map> {
  readonly #listeners: { [Type in keyof Map]?: Set<Listener<Map[Type]>> } = {}

  on<Type extends keyof Map>(type: Type, listener: (event: Map[Type]) => void): Disposable {
    const all: Set<Listener<Map[Type]>> = (this.#listeners[type] ??= new Set())
    // Its own entry: the same function may listen twice.
    const entry: Listener<Map[Type]> = (event) => {
      listener(event)
    }
    all.add(entry)
    return {
      [Symbol.dispose]: () => {
        all.delete(entry)
      },
    }
  }

  emit<Type extends keyof Map>(type: Type, event: Map[Type]): void {
    for (const listener of this.#listeners[type] ?? []) {
      try {
        listener(event)
      } catch (error) {
        // A listener's fault is neither the call's nor to be lost.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
