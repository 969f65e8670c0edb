/**
 * Move 11: nothing that is changed may cost the last healthy instances. Again and again, under load, the service is given a
 * version that cannot work, by a changed configuration or by a restart: what serves must stay, and no request may notice.
 * (The other half, a million random steps through the machine that decides, is `src/supervisor/core/fleet.model.test.ts`.)
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../chaos/wait.ts'
import { pidsOf, type Product, type Running, type Settings } from '../support/product.ts'
import { atLeast, exactly, fact, none, type Figure, type Move, type Scale } from './move.ts'
import { underLoad } from './traffic.ts'

const instances = 2
const requestsPerSecond = 200
const defects = ['never-ready', 'crash', 'wrong-port'] as const
type Defect = (typeof defects)[number]

/** Looks again and again how many are ready at the proxy. */
class Watch {
  least = Infinity
  #stopped = false
  #watching: Promise<void> | undefined

  start(product: Product): void {
    this.#watching = this.#watch(product)
    // Told by `stop`.
    this.#watching.catch(() => undefined)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#watching
  }

  async #watch(product: Product): Promise<void> {
    while (!this.#stopped) {
      const { endpoints } = await product.service()
      this.least = Math.min(this.least, endpoints.filter(({ state, health }) => state === 'active' && health !== 'unhealthy').length)
      await sleep(50)
    }
  }
}

export const lastHealthy: Move = {
  number: 11,
  name: 'last-healthy',
  title: 'configurations and restarts with a version that cannot work',
  async run(product, scale): Promise<readonly Figure[]> {
    const deploys = new Deploys(product)
    deploys.configure({})
    const control = await product.up()
    const watch = new Watch()
    let kept = 0
    let tried = 0
    const wanted = scale.full ? 100 : 6
    const traffic = await underLoad(product, requestsPerSecond, async () => {
      watch.start(product)
      while (tried < wanted && !scale.signal.aborted) if (await deploys.breakOnce(control, tried++, scale)) kept++
      await watch.stop()
    })
    return [
      atLeast('broken versions', tried, wanted),
      exactly('the old instances stayed', kept, tried),
      exactly('ready at the proxy, at least', watch.least, instances),
      fact('requests', String(traffic.requests)),
      none(`failed ${traffic.failures}`.trim(), traffic.failedGet + traffic.failedPost),
    ]
  },
}

class Deploys {
  readonly #product: Product
  readonly #defectFile: string

  constructor(product: Product) {
    this.#product = product
    this.#defectFile = product.path('defect')
    writeFileSync(this.#defectFile, '')
  }

  configure(extra: Settings): void {
    this.#product.configure({
      web: { instances, env: { BROKEN_FILE: this.#defectFile, SERVICE_MS: '2', ...extra }, start: { timeout: '700ms' } },
    })
  }

  /** Whether the instances from before are the ones after it, all ready. */
  async breakOnce(control: Running, turn: number, { signal }: Scale): Promise<boolean> {
    const before = await this.#serving()
    const defect = defects[turn % defects.length] ?? 'crash'
    if (Math.floor(turn / defects.length) % 2 === 0) await this.#changeConfiguration(control, turn, defect)
    else await this.#restart(defect)
    const after = await this.#serving()
    if (signal.aborted) return false
    return JSON.stringify(after) === JSON.stringify(before)
  }

  async #changeConfiguration(control: Running, turn: number, defect: Defect): Promise<void> {
    const failures = (await this.#product.events('service.revisionFailed')).length
    this.configure({ BROKEN: defect, RELEASE: String(turn), BROKEN_FILE: this.#fileWith(defect) })
    control.signal('SIGHUP')
    await until('the new revision is given up', async () =>
      (await this.#product.events('service.revisionFailed')).length > failures ? true : undefined,
    )
    writeFileSync(this.#defectFile, '')
    this.configure({})
    control.signal('SIGHUP')
    await this.#product.settled(instances)
  }

  #fileWith(defect: Defect): string {
    writeFileSync(this.#product.path('broken'), defect)
    return this.#product.path('broken')
  }

  async #restart(defect: Defect): Promise<void> {
    writeFileSync(this.#defectFile, defect)
    const { code, stderr } = await this.#product.run('restart', 'web')
    if (code !== 1) throw new Error(`a restart with a version that is broken (${defect}) ended with ${code ?? 'none'}: ${stderr}`)
    writeFileSync(this.#defectFile, '')
    await this.#product.settled(instances)
  }

  async #serving(): Promise<readonly number[]> {
    const { instances: all } = await this.#product.service()
    return pidsOf(all.filter(({ phase }) => phase === 'ready'))
  }
}
