/** A step of a roll-up: what came in it, added up so that adding up steps gives what adding up their samples gives. */
import type { Point } from '../types.ts'

export interface Cell {
  /** Its beginning: wall time in milliseconds. */
  at: number
  sum: number
  min: number
  max: number
  last: number
  count: number
}

export const pointOf = ({ at, sum, min, max, last, count }: Cell): Point => ({ at, mean: sum / count, min, max, last, count })

/** Steps out of samples or finer steps that come in order of time. A step without any has no cell. */
export class Stepper {
  readonly stepMs: number
  readonly cells: Cell[] = []
  #open: Cell | undefined

  constructor(stepMs: number) {
    this.stepMs = stepMs
  }

  sample(at: number, value: number): void {
    const cell = this.#cell(at)
    cell.sum += value
    if (value < cell.min) cell.min = value
    if (value > cell.max) cell.max = value
    cell.last = value
    cell.count++
  }

  add(finer: Cell): void {
    const cell = this.#cell(finer.at)
    cell.sum += finer.sum
    if (finer.min < cell.min) cell.min = finer.min
    if (finer.max > cell.max) cell.max = finer.max
    cell.last = finer.last
    cell.count += finer.count
  }

  #cell(at: number): Cell {
    const start = Math.floor(at / this.stepMs) * this.stepMs
    if (this.#open?.at === start) return this.#open
    this.#open = { at: start, sum: 0, min: Infinity, max: -Infinity, last: NaN, count: 0 }
    this.cells.push(this.#open)
    return this.#open
  }
}
