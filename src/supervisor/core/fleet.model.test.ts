/**
 * A million random steps through the fleet, against a world that does anything it may: processes die in any state,
 * answers come late or never, the operator changes his mind. After every step the promises are checked, by counting
 * of its own and not by the functions that are being tested.
 *
 * Set SEED to replay one story.
 */
import { describe, expect, it } from 'vitest'
import type { ServiceConfig } from '../../config/types.ts'
import { assert } from '../../kernel/errors.ts'
import { between, chance, Prng } from '../../kernel/random.ts'
import { instant, seconds, type Instant } from '../../kernel/time.ts'
import type { ProcessExit } from './exit.ts'
import { instancesOf, isLeaving, type Instance, type Service } from './fleet-state.ts'
import { Fleet } from './fleet.ts'
import type { DesiredService, Fact, FleetCommand, FleetInput } from './fleet-types.ts'
import type { InstanceInput } from './instance-machine.ts'
import { restartLimits } from './restart-policy.ts'
import { fleetLimits, serviceConfig } from '../testing/fleet-kit.ts'

const seeds = process.env.SEED === undefined ? Array.from({ length: 500 }, (_, i) => i + 1) : [Number(process.env.SEED)]
const stepsPerSeed = 2_000

interface Process {
  readonly instance: Instance
  alive: boolean
  spawned: boolean
  /** The routing has been told of it. */
  admitted: boolean
  /** Nothing is in flight to it, or it was cut off. */
  away: boolean
}

class World {
  readonly fleet: Fleet
  readonly processes = new Map<string, Process>()
  now = 0
  wakeAt: Instant | undefined
  steps = 0
  readonly #random: Prng
  readonly #names = ['db', 'api', 'web']
  #revision = 1
  readonly #configs = new Map<string, DesiredService>()
  /** Waits of each slot since it was last reset, to see that they only grow. */
  readonly #waits = new Map<string, { readonly streak: number; readonly wait: number }>()

  constructor(seed: number) {
    this.#random = new Prng(seed)
    this.fleet = new Fleet({
      limits: fleetLimits({ starting: between(this.#random, 2, 4) }),
      restartLimits,
      random: this.#random,
      drainTimeout: () => seconds(30),
    })
    for (const name of this.#names) this.#configs.set(name, this.#draw(name))
    this.#feed({ type: 'apply', services: [...this.#configs.values()] })
  }

  #draw(name: string): DesiredService {
    const fixed = chance(this.#random, 0.15)
    const config: ServiceConfig = {
      resources: { memory: 1_000 },
      ...serviceConfig(name, {
        port: fixed ? 3000 : 'auto',
        dependsOn: name === 'db' ? [] : name === 'api' ? ['db'] : ['api'],
        restart: { policy: chance(this.#random, 0.8) ? 'always' : 'on-failure', backoff: { initial: seconds(1), max: seconds(60) } },
      }),
    }
    return { ...wanted(config, this.#revision++), desired: fixed ? 1 : between(this.#random, 0, 5) }
  }

  /** One random thing happens. */
  step(): void {
    const roll = this.#random.next()
    if (roll < 0.25) this.#pass(between(this.#random, 0, 500))
    else if (roll < 0.28) this.#pass(between(this.#random, 1_000, 120_000))
    else if (roll < 0.97) this.#happenToOne()
    else this.#operate()
  }

  #pass(by: number): void {
    const until = this.now + by
    while (this.wakeAt !== undefined && this.wakeAt <= until) {
      this.now = Math.max(this.now, this.wakeAt)
      this.#feed({ type: 'wake' })
    }
    this.now = until
  }

  #happenToOne(): void {
    const list = [...this.processes.values()]
    const process = list[between(this.#random, 0, list.length - 1)]
    if (!process) return
    if (chance(this.#random, 0.02)) {
      this.#feed({ type: 'memory', readings: [{ id: process.instance.id, memoryBytes: between(this.#random, 0, 2_000) }] })
      return
    }
    const input = this.#drawInput(process)
    if (input) this.#tell(process, input)
  }

  #drawInput(process: Process): InstanceInput | undefined {
    const random = this.#random
    const { state } = process.instance
    if (!process.spawned) {
      if (chance(random, 0.8)) {
        process.spawned = true
        return { type: 'spawned' }
      }
      process.alive = false
      return { type: 'spawnFailed', failure: { kind: chance(random, 0.3) ? 'config' : 'resource', reason: 'cannot' } }
    }
    if (!process.alive) return state.phase === 'reaping' ? { type: 'groupGone' } : undefined
    if (chance(random, state.phase === 'ready' ? 0.02 : state.phase === 'stopping' ? 0.5 : 0.05)) return this.#exit(process)
    switch (state.phase) {
      case 'starting':
        return chance(random, 0.6) ? { type: 'probePassed' } : undefined
      case 'diagnosing':
        return chance(random, 0.8) ? { type: 'diagnosed', reason: 'nothing listens' } : undefined
      case 'ready':
        if (!state.admitted) return chance(random, 0.7) ? { type: 'admitted' } : undefined
        return chance(random, 0.03) ? { type: 'unhealthy', reason: 'probe' } : undefined
      case 'unhealthy':
        return chance(random, 0.1) ? { type: 'healthy' } : undefined
      case 'draining':
        if (!chance(random, 0.5)) return undefined
        process.away = true
        return { type: 'drained' }
      default:
        return undefined
    }
  }

  #exit(process: Process): InstanceInput {
    const random = this.#random
    process.alive = false
    const signal = chance(random, 0.4) ? 'SIGKILL' : undefined
    const code = signal ? undefined : ([0, 1, 1, 1, 78, 137] as const)[between(random, 0, 5)]
    const exit: ProcessExit = {
      code,
      signal,
      shell: false,
      oom: chance(random, 0.1),
      lost: chance(random, 0.1),
      portTaken: chance(random, 0.02),
      group: chance(random, 0.2),
    }
    return { type: 'exited', exit }
  }

  #operate(): void {
    const random = this.#random
    const name = this.#names[between(random, 0, 2)] ?? 'db'
    const service = this.fleet.services.get(name)
    const roll = random.next()
    if (roll < 0.4) {
      const known = this.#configs.get(name)
      // Either only the count changes, or everything does.
      const onlyCount = known !== undefined && isAuto(known.config) && chance(random, 0.5)
      this.#configs.set(name, onlyCount ? { ...known, desired: between(random, 0, 5) } : this.#draw(name))
      const services = [...this.#configs.values()].filter(() => !chance(random, 0.05))
      this.#feed({ type: 'apply', services })
    } else if (roll < 0.7) {
      if (service && !service.restart && !service.leaving) this.#feed({ type: 'restart', service: name })
    } else if (roll < 0.95) {
      if (service && isAuto(service.config)) {
        this.#feed({ type: 'scale', service: name, desired: between(random, 0, 6) })
      }
    } else {
      this.#feed({ type: 'stopAll' })
      if (chance(random, 0.3)) this.#feed({ type: 'killAll' })
      this.#feed({ type: 'apply', services: [...this.#configs.values()] })
    }
  }

  #tell(process: Process, input: InstanceInput): void {
    this.#feed({ type: 'instance', id: process.instance.id, input })
  }

  #feed(input: FleetInput | { type: 'wake' }): void {
    this.steps++
    const before = new Set([...this.processes.values()].filter(({ instance }) => serves(instance)).map(({ instance }) => instance.id))
    // What has just become unhealthy may go: it is not our doing.
    if (input.type === 'instance') before.delete(input.id)
    const { commands, wakeAt } = this.fleet.step(this.fleet, input, instant(this.now))
    this.wakeAt = wakeAt
    assert(wakeAt === undefined || wakeAt > this.now || input.type !== 'wake', `woken at ${this.now} and asks to be woken at ${wakeAt ?? 0}`)
    for (const command of commands) this.#check(command, before)
    this.#checkAll()
  }

  #check(command: FleetCommand, servedBefore: ReadonlySet<string>): void {
    if (command.type === 'spawn') {
      const { instance } = command
      assert(!this.processes.has(instance.id), `${instance.id} is spawned twice`)
      this.processes.set(instance.id, { instance, alive: true, spawned: false, admitted: false, away: false })
    } else if (command.type === 'fact') this.#checkFact(command.fact)
    else {
      const { instance, command: order } = command
      const process = this.processes.get(instance.id)
      assert(process, `${instance.id} was never spawned`)
      switch (order.type) {
        case 'admit':
          process.admitted = true
          break
        case 'drain':
          this.#checkLastHealthy(instance, servedBefore)
          break
        case 'signal':
          assert(!process.admitted || process.away, `${instance.id} gets the stop signal while it is routed`)
          break
        case 'gone':
          process.away = true
          break
        case 'kill':
          assert(!process.admitted || process.away || !process.alive, `${instance.id} is killed while it is routed`)
          break
        default:
      }
    }
  }

  /** A drain is our own doing: what is left must be enough. */
  #checkLastHealthy(instance: Instance, servedBefore: ReadonlySet<string>): void {
    const service = this.fleet.services.get(instance.service)
    if (!servedBefore.has(instance.id) || !service || service.leaving || !isAuto(service.config)) return
    const least = service.desired === 0 ? 0 : Math.max(1, Math.ceil(0.5 * service.desired))
    const left = ready(service)
    assert(left >= least, `${service.name}: ${left} ready are left of ${service.desired} after draining ${instance.id}, ${least} are needed`)
  }

  #checkFact(fact: Fact): void {
    if (fact.type === 'ended') this.processes.delete(fact.instance.id)
    if (fact.type !== 'resting') return
    const key = `${fact.service}/${fact.slot.index}`
    const { rest, slot } = fact
    const { history } = slot
    const before = this.#waits.get(key)
    const now = { streak: history.streak, wait: 'wait' in rest ? rest.wait : 0 }
    // A failure adds one to the streak, a kill leaves it, a reset takes it to the beginning.
    if (before !== undefined && now.streak === before.streak + 1 && rest.phase !== 'done')
      assert(now.wait >= before.wait, `${key}: waits ${now.wait} ms after ${before.wait} ms`)
    this.#waits.set(key, now.streak === before?.streak ? before : now)
  }

  #checkAll(): void {
    for (const service of this.fleet.services.values()) {
      const perSlot = new Map<number, number>()
      for (const instance of instancesOf(service)) {
        if (!isLeaving(instance)) {
          perSlot.set(instance.slot, (perSlot.get(instance.slot) ?? 0) + 1)
        }
        const process = this.processes.get(instance.id)
        assert(process, `${instance.id} is in the fleet, but not in the world`)
      }
      for (const [slot, live] of perSlot) assert(live <= 2, `${service.name}/${slot}: ${live} live instances in one slot`)
      for (const { serving, replacement, index } of service.slots.values()) {
        assert(!replacement || serving !== replacement, `${service.name}/${index} is its own replacement`)
      }
    }
    // Every `starting` ends: in time or in diagnosis.
    for (const { instance } of this.processes.values()) {
      if (instance.state.phase === 'starting') assert(instance.state.deadline >= this.now, `${instance.id} is still starting`)
    }
  }

  /** Peace: every process boots, answers and obeys. All that is wanted must come true. */
  settle(): void {
    for (const [name, { config, revision }] of this.#configs)
      this.#configs.set(name, { ...wanted(config, revision), desired: isAuto(config) ? 3 : 1 })
    for (let round = 0; round < 2_000 && !this.#isCalm(); round++) {
      // What failed in the war and is not tried again by itself is asked for once more.
      if (round % 1_000 === 0) this.#feed({ type: 'apply', services: [...this.#configs.values()] })
      for (const process of [...this.processes.values()]) {
        const input = obey(process)
        if (input) this.#tell(process, input)
      }
      this.#pass(200)
    }
    assert(this.#isCalm(), 'it does not come to rest')
  }

  #isCalm(): boolean {
    return [...this.#configs.values()].every(({ config, desired, revision }) => {
      const service = this.fleet.services.get(config.name)
      if (!service || service.retiring.size > 0 || service.restart || service.slots.size !== desired) return false
      return [...service.slots.values()].every(
        ({ serving, replacement }) => !replacement && serving?.state.phase === 'ready' && serving.state.admitted && serving.revision === revision,
      )
    })
  }
}

const isAuto = ({ source }: ServiceConfig): boolean => source.kind === 'process' && source.port === 'auto'

const wanted = (config: ServiceConfig, revision: number): DesiredService => ({ config, revision, desired: 1, stable: undefined, bootTime: undefined })

function obey(process: Process): InstanceInput | undefined {
  const { state } = process.instance
  if (!process.spawned) {
    process.spawned = true
    return { type: 'spawned' }
  }
  switch (state.phase) {
    case 'starting':
      return { type: 'probePassed' }
    case 'diagnosing':
      return { type: 'diagnosed', reason: 'slow' }
    case 'ready':
      return state.admitted ? undefined : { type: 'admitted' }
    case 'unhealthy':
      return { type: 'healthy' }
    case 'draining':
      process.away = true
      return { type: 'drained' }
    case 'stopping':
      process.alive = false
      return { type: 'exited', exit: { code: 0, signal: undefined, shell: false, oom: false, lost: false, portTaken: false, group: false } }
    case 'reaping':
      return { type: 'groupGone' }
    default:
      return undefined
  }
}

function ready(service: Service): number {
  return [...instancesOf(service)].filter(serves).length
}

const serves = ({ state }: Instance): boolean => state.phase === 'ready' && state.admitted

describe('the fleet, model-checked', () => {
  it(`keeps its promises through ${seeds.length * stepsPerSeed} random happenings, and comes to rest in peace`, { timeout: 120_000 }, () => {
    let steps = 0
    for (const seed of seeds) {
      const world = new World(seed)
      try {
        for (let i = 0; i < stepsPerSeed; i++) world.step()
        world.settle()
      } catch (error) {
        throw new Error(`seed ${seed}, step ${world.steps}`, { cause: error })
      }
      steps += world.steps
    }
    if (seeds.length > 1) expect(steps).toBeGreaterThan(1_000_000)
  })
})
