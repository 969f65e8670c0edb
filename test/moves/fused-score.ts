/**
 * Move 5: load moves away from an instance that is not well before anything times out. The same faults, one after the other in one of four instances,
 * once with turns by the fused weight, once with turns and probes only, as HAProxy takes them, and once as the balancer is without a word of configuration.
 * A violation is a request that failed or took longer than the objective, counted from the moment it was due.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { until } from '../chaos/wait.ts'
import type { Product, Settings } from '../support/product.ts'
import { PacedLoad, type Served } from './paced-load.ts'
import { atMost, fact, type Figure, type Move, type Scale } from './move.ts'

const command = `${process.execPath} ${fileURLToPath(new URL('../fixtures/ailing.mjs', import.meta.url))}`
const instances = 4
const requestsPerSecond = 160
/** Ten times what an instance takes that is well. */
const objectiveMs = 100
const fewerPercent = 40
const shareMaxPercent = 50
const shareWithinMs = 3_000
/** Over which a share is taken. */
const shareOverMs = 1_000
/** After each illness: what is known of it fades over 10 s, and part of it is to be paid for. */
const recoveryMs = 3_000
const quick = { illnessMs: 6_000, illnesses: ['lag'] } as const
const whole = { illnessMs: 12_000, illnesses: ['lag', 'slow', 'errors', 'restarts'] } as const
const restartEveryMs = 4_000

type Illness = (typeof whole.illnesses)[number]

interface Way {
  readonly name: string
  readonly balance: Settings
}

const fused: Way = { name: 'turns by the fused weight', balance: { algorithm: 'round-robin' } }
const probesOnly: Way = { name: 'turns and probes only', balance: { algorithm: 'round-robin', weights: 'configured' } }
const byDefault: Way = { name: 'without a word of configuration', balance: {} }

export const fusedScore: Move = {
  number: 5,
  name: 'fused-score',
  title: 'one of four instances lags, slows down, answers 500, restarts: by its weight, and by probes only',
  async run(product, scale): Promise<readonly Figure[]> {
    const withProbes = await suffer(product, probesOnly, scale)
    const withWeight = await suffer(product, fused, scale)
    const asItIs = scale.full ? await suffer(product, byDefault, scale) : undefined
    return [
      ...[withProbes, withWeight, asItIs].flatMap((run) => (run === undefined ? [] : shown(run))),
      fewer(withWeight, withProbes),
      ...(asItIs === undefined ? [] : [fewer(asItIs, withProbes)]),
      ...firstSeconds(withWeight),
      fact('the same with turns and probes only', `${shareOf(withProbes.lag, shareWithinMs - shareOverMs, shareWithinMs).toFixed(0)} %`),
    ]
  },
}

interface Suffered {
  readonly way: Way
  readonly served: readonly Served[]
  readonly violations: ReadonlyMap<Illness, number>
  readonly lag: Phase
}

/** One illness of one instance. */
interface Phase {
  readonly pid: number
  readonly beganAt: number
  readonly served: readonly Served[]
}

const violates = ({ ok, startedAt, endedAt }: Served): boolean => !ok || endedAt - startedAt > objectiveMs

async function suffer(product: Product, way: Way, { full, signal }: Scale): Promise<Suffered> {
  const { illnesses, illnessMs } = full ? whole : quick
  const health = { path: '/health', interval: '1s', timeout: '1s', fall: 2, rise: 2 }
  product.configure({ web: { command, instances, env: { MARK: product.path(`mark-${way.name}`) }, health, balance: way.balance } })
  await product.up()
  await product.settled(instances)
  const load = new PacedLoad({ port: product.ports.web, requestsPerSecond })
  const phases = new Map<Illness, { readonly pid: number; readonly beganAt: number; readonly endedAt: number }>()
  load.start()
  await sleep(recoveryMs)
  for (const illness of illnesses) {
    if (signal.aborted) break
    const beganAt = performance.now()
    const pid = await infect(product, illness, illnessMs)
    await sleep(recoveryMs)
    phases.set(illness, { pid, beganAt, endedAt: performance.now() })
  }
  const served = await load.stop()
  await product.down()
  const during = (illness: Illness): Phase => {
    const { pid, beganAt, endedAt } = phases.get(illness) ?? { pid: 0, beganAt: 0, endedAt: 0 }
    return { pid, beganAt, served: served.filter(({ startedAt }) => startedAt >= beganAt && startedAt < endedAt) }
  }
  const violations = new Map(illnesses.map((illness) => [illness, during(illness).served.filter(violates).length]))
  return { way, served, violations, lag: during('lag') }
}

/** Resolves with its pid when it is over. */
async function infect(product: Product, illness: Illness, forMs: number): Promise<number> {
  const endsAt = performance.now() + forMs
  if (illness === 'restarts') {
    while (performance.now() < endsAt) {
      await ail((await well(product)).port, 'crash')
      await sleep(restartEveryMs)
    }
    return 0
  }
  const { port, pid = 0 } = await well(product)
  await ail(port, illness)
  await sleep(forMs)
  await ail(port, 'none')
  return pid
}

/** The one that has been well for longest: one that crashes again and again is not started at once. */
const well = (product: Product) =>
  until('an instance that can fall ill', async () => {
    const ready = (await product.service()).instances.filter(({ phase, readyAt }) => phase === 'ready' && readyAt !== undefined)
    return ready.toSorted((a, b) => Number(a.readyAt) - Number(b.readyAt))[0]
  })

const ail = async (port: number, illness: string): Promise<void> => {
  await fetch(`http://127.0.0.1:${port}/ail?with=${illness}`, { method: 'POST' })
}

const total = ({ violations }: Suffered): number => [...violations.values()].reduce((sum, each) => sum + each, 0)

const shown = (run: Suffered): Figure[] => [
  fact(
    `${run.way.name}: requests; failed or above ${objectiveMs} ms`,
    `${run.served.length}; ${total(run)} (${[...run.violations].map(([illness, count]) => `${illness} ${count}`).join(', ')})`,
  ),
]

function fewer(run: Suffered, before: Suffered): Figure {
  const percent = 100 * (1 - total(run) / total(before))
  return {
    what: `fewer violations than with probes only: ${run.way.name}`,
    value: `${percent.toFixed(0)} %`,
    target: `≥ ${fewerPercent} %`,
    met: percent >= fewerPercent,
  }
}

/** Of what one instance gets that is as well as the others, in percent; from so many milliseconds after the illness began. */
function shareOf({ pid, beganAt, served }: Phase, fromMs: number, toMs: number): number {
  const then = served.filter(({ startedAt }) => startedAt >= beganAt + fromMs && startedAt < beganAt + toMs)
  return (100 * instances * then.filter((each) => each.by === pid).length) / then.length
}

function firstSeconds({ lag }: Suffered): Figure[] {
  const early = lag.served.filter(({ startedAt }) => startedAt < lag.beganAt + shareWithinMs)
  return [
    atMost(
      'share of an instance whose loop lags 300 ms, of what others get, in the third second',
      shareOf(lag, shareWithinMs - shareOverMs, shareWithinMs),
      shareMaxPercent,
      '%',
    ),
    atMost('requests that failed or timed out until then', early.filter(({ ok }) => !ok).length, 0, 'requests'),
  ]
}
