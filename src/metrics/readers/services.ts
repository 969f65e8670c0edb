/** What services and instances are like now: how many are ready, what they use, how often they were started again. */
import type { InstanceStatus, ServiceStatus } from '../../registry/types.ts'
import type { Sample, SampleSource } from '../types.ts'
import { StableLabels } from './stable-labels.ts'

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000

export class ServiceReader implements SampleSource {
  readonly #services: () => readonly ServiceStatus[]
  readonly #secondsSince: () => number
  readonly #labels = new StableLabels()
  /** Restarts of a service's slots together, as they were read last. */
  #restarts = new Map<string, number>()

  /** `secondsSince`: since it was asked last. */
  constructor(services: () => readonly ServiceStatus[], secondsSince: () => number) {
    this.#services = services
    this.#secondsSince = secondsSince
  }

  samples(): readonly Sample[] {
    const seconds = this.#secondsSince()
    this.#labels.turn()
    const restarts = new Map<string, number>()
    const samples: Sample[] = []
    for (const service of this.#services()) this.#service(service, seconds, restarts, samples)
    this.#restarts = restarts
    return samples
  }

  #service({ name, ready, desired, maintenance, instances }: ServiceStatus, seconds: number, restarts: Map<string, number>, samples: Sample[]): void {
    const labels = this.#labels.of(name)
    const push = (metric: string, value: number): void => {
      samples.push({ metric, labels, value })
    }
    push('ready', ready)
    push('desired', desired)
    push('unavailable', ready === 0 && desired > 0 && !maintenance ? 1 : 0)
    push('maintenance', maintenance ? 1 : 0)
    push('crash_looping', instances.filter(({ phase }) => phase === 'crashLooping').length)
    const total = instances.reduce((sum, instance) => sum + instance.restarts, 0)
    restarts.set(name, total)
    // A slot that went took its restarts along.
    push('restart_rate', seconds > 0 ? rounded(Math.max(0, total - (this.#restarts.get(name) ?? total)) / seconds) : 0)
    for (const instance of instances) this.#instance(instance, samples)
  }

  #instance({ id, service, resources }: InstanceStatus, samples: Sample[]): void {
    if (resources === undefined) return
    const labels = this.#labels.of(service, 'instance', id)
    samples.push({ metric: 'instance_cpu', labels, value: Math.round(resources.cpuPercent * 10) / 10 })
    samples.push({ metric: 'instance_memory', labels, value: resources.memoryBytes })
  }
}
