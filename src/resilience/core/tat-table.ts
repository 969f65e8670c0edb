/**
 * One number for each key, bounded: when the table is full the key with the earliest number goes. For a rate limit that number is the
 * theoretical arrival time (TAT), and a key whose TAT lies earliest is the one that is most like a key never seen, so a flood of keys costs an
 * attacker's neighbours nothing. A binary heap over slots; each change is O(log n), and what is past is dropped on the way.
 */

/** Past keys dropped at each write: more than are added, so the table shrinks to what is live. */
const sweepMax = 2

export class TatTable {
  readonly #max: number
  readonly #slots = new Map<string, number>()
  /** By slot: key, number, place in the heap. */
  readonly #keys: string[] = []
  readonly #tats: number[] = []
  readonly #places: number[] = []
  /** By place: slot. The earliest is first. */
  readonly #heap: number[] = []
  readonly #free: number[] = []

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#slots.size
  }

  /** The number of a key; undefined when it was never set, has passed or was evicted. */
  get(key: string): number | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#tats[slot]
  }

  /** Every key with its number, in no order. */
  *entries(): Iterable<readonly [key: string, tat: number]> {
    for (const [key, slot] of this.#slots) yield [key, this.#tats[slot] ?? 0]
  }

  /** Sets it; numbers below `now` may be forgotten at any time. */
  set(key: string, tat: number, now: number): void {
    for (let i = 0; i < sweepMax && this.#earliest() < now; i++) this.#drop()
    const known = this.#slots.get(key)
    if (known !== undefined) {
      this.#tats[known] = tat
      this.#sink(this.#places[known] ?? 0)
      this.#rise(this.#places[known] ?? 0)
      return
    }
    if (this.#slots.size >= this.#max) this.#drop()
    const slot = this.#free.pop() ?? this.#keys.length
    this.#keys[slot] = key
    this.#tats[slot] = tat
    this.#places[slot] = this.#heap.length
    this.#heap.push(slot)
    this.#slots.set(key, slot)
    this.#rise(this.#heap.length - 1)
  }

  #earliest(): number {
    const [first] = this.#heap
    return first === undefined ? Infinity : (this.#tats[first] ?? Infinity)
  }

  #drop(): void {
    const [slot] = this.#heap
    const last = this.#heap.pop()
    if (slot === undefined || last === undefined) return
    this.#slots.delete(this.#keys[slot] ?? '')
    this.#keys[slot] = ''
    this.#free.push(slot)
    if (last === slot) return
    this.#put(0, last)
    this.#sink(0)
  }

  #at(place: number): number {
    const slot = this.#heap[place]
    return slot === undefined ? Infinity : (this.#tats[slot] ?? Infinity)
  }

  #put(place: number, slot: number): void {
    this.#heap[place] = slot
    this.#places[slot] = place
  }

  #swap(a: number, b: number): void {
    const [slotA = 0, slotB = 0] = [this.#heap[a], this.#heap[b]]
    this.#put(a, slotB)
    this.#put(b, slotA)
  }

  #rise(from: number): void {
    for (let place = from; place > 0;) {
      const parent = (place - 1) >> 1
      if (this.#at(parent) <= this.#at(place)) return
      this.#swap(place, parent)
      place = parent
    }
  }

  #sink(from: number): void {
    for (let place = from; ;) {
      const left = 2 * place + 1
      const child = this.#at(left + 1) < this.#at(left) ? left + 1 : left
      if (this.#at(child) >= this.#at(place)) return
      this.#swap(place, child)
      place = child
    }
  }
}
