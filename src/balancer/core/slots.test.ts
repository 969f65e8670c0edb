import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SlotLease, Slots, type SlotOrder } from './slots.ts'

interface Message {
  readonly want?: number | undefined
  readonly back?: number | undefined
}

/** Workers with lines of requests, and the book; messages arrive in order, when the test lets them. */
class Machine {
  readonly slots: Slots<number>
  readonly leases: SlotLease[]
  readonly active: number[]
  readonly waiting: number[]
  served = 0
  activeMax = 0
  readonly #down: { readonly to: number; readonly amount: number; readonly keep: number | undefined }[] = []
  readonly #up: (Message & { readonly from: number })[] = []

  constructor(workers: number, limit: number) {
    this.slots = new Slots<number>(limit, workers)
    this.leases = Array.from({ length: workers }, () => new SlotLease())
    this.active = this.leases.map(() => 0)
    this.waiting = this.leases.map(() => 0)
  }

  send(orders: readonly SlotOrder<number>[]): void {
    for (const { holder, amount, keep } of orders) this.#down.push({ to: holder, amount, keep })
  }

  /** All messages arrive. */
  settle(): void {
    for (let i = 0; i < 10_000 && this.#up.length + this.#down.length > 0; i++) {
      const up = this.#up.shift()
      if (up?.back !== undefined) this.send(this.slots.giveBack(up.from, up.back))
      if (up?.want !== undefined) this.send(this.slots.ask(up.from, up.want))
      const down = this.#down.shift()
      if (down === undefined) continue
      this.leases[down.to]!.given(down.amount, down.keep)
      this.#look(down.to, true)
    }
    expect(this.#up.length + this.#down.length).toBe(0)
  }

  come(worker: number): void {
    this.waiting[worker]!++
    this.#look(worker)
  }

  end(worker: number): void {
    if (this.active[worker] === 0) return
    this.active[worker]!--
    this.served++
    this.#look(worker)
  }

  #look(worker: number, granted = false): void {
    const lease = this.leases[worker]!
    if (!granted) this.#giveBack(worker)
    while (this.waiting[worker]! > 0 && this.active[worker]! < lease.granted) {
      this.waiting[worker]!--
      this.active[worker]!++
    }
    if (granted) this.#giveBack(worker)
    const want = lease.takeWant(this.waiting[worker]!)
    if (want !== undefined) this.#up.push({ from: worker, want })
    this.activeMax = Math.max(this.activeMax, this.sum(this.active))
  }

  #giveBack(worker: number): void {
    const back = this.leases[worker]!.takeSurplus(this.active[worker]!, this.waiting[worker]! > 0)
    if (back > 0) this.#up.push({ from: worker, back })
  }

  sum(of: readonly number[]): number {
    return of.reduce((total, each) => total + each, 0)
  }
}

describe('slots over workers', () => {
  it('are never more than the limit, and never idle while somebody waits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.tuple(fc.nat(4), fc.boolean(), fc.boolean()), { maxLength: 200 }),
        (workers, limit, steps) => {
          const machine = new Machine(workers, limit)
          for (const [which, comes, settles] of steps) {
            if (comes) machine.come(which % workers)
            else machine.end(which % workers)
            if (settles) machine.settle()
          }
          machine.settle()
          expect(machine.activeMax).toBeLessThanOrEqual(limit)
          expect(machine.slots.leased).toBeLessThanOrEqual(limit)
          if (machine.sum(machine.waiting) > 0) expect(machine.sum(machine.active)).toBe(limit)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('go round where there are fewer than workers: nobody starves', () => {
    const machine = new Machine(4, 1)
    for (let worker = 0; worker < 4; worker++) for (let i = 0; i < 20; i++) machine.come(worker)
    machine.settle()
    for (let i = 0; i < 40; i++) {
      machine.end(machine.active.findIndex((count) => count > 0))
      machine.settle()
    }
    expect(machine.served).toBe(40)
    expect(machine.waiting.every((count) => count <= 11)).toBe(true)
  })

  it('fall to a lower limit as requests end, and all of that is used', () => {
    const machine = new Machine(2, 6)
    for (let i = 0; i < 60; i++) machine.come(i % 2)
    machine.settle()
    expect(machine.sum(machine.active)).toBe(6)
    machine.send(machine.slots.setLimit(3))
    machine.settle()
    for (let i = 0; i < 12; i++) {
      machine.end(i % 2)
      machine.settle()
    }
    expect(machine.sum(machine.active)).toBe(3)
  })

  it('of a worker that has died are free for the others', () => {
    const machine = new Machine(2, 4)
    for (let i = 0; i < 8; i++) machine.come(0)
    machine.settle()
    for (let i = 0; i < 8; i++) machine.come(1)
    machine.send(machine.slots.leave(0).filter(({ holder }) => holder === 1))
    machine.settle()
    expect(machine.active[1]).toBe(4)
  })

  it('that a worker brings from another book count', () => {
    const slots = new Slots<string>(4, 2)
    slots.claim('a', 3)
    expect(slots.ask('b', 3).find(({ holder }) => holder === 'b')?.amount).toBe(1)
    expect(slots.giveBack('a', 3).find(({ holder }) => holder === 'b')?.amount).toBe(2)
  })
})
