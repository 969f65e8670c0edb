/**
 * `npm run bench -- resilience [--calls N] [--rounds N]`: what a decision of the breaker costs and allocates, and `execute()` beside cockatiel and
 * opossum, each with a time window and the same thresholds. Subjects take turns, round by round; the middle round counts.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { circuitBreaker, handleAll, SamplingBreaker } from 'cockatiel'
import Opossum from 'opossum'
import { breaker, Breaker, compose, outcome, retry } from '../../src/resilience/index.ts'
import { stamp } from '../lib/arguments.ts'
import { machineFacts } from '../lib/machine.ts'
import { median, spread } from '../lib/statistics.ts'

const results = join(dirname(fileURLToPath(import.meta.url)), '..', 'results')

interface Row {
  readonly what: string
  readonly nanoseconds: readonly number[]
  readonly bytes?: number
}

export async function benchResilience(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { calls: { type: 'string', default: '10000000' }, rounds: { type: 'string', default: '5' } },
  })
  const calls = Number(values.calls)
  const rounds = Number(values.rounds)
  if (!(Number.isInteger(calls) && calls > 0 && Number.isInteger(rounds) && rounds > 0))
    throw new Error('--calls and --rounds are whole numbers from 1')
  const machine = machineFacts()
  const rows = [...decisions(calls, rounds), ...(await executions(Math.ceil(calls / 50), rounds))]
  const table = rows.map(
    ({ what, nanoseconds, bytes }) =>
      `| ${what} | ${median(nanoseconds).toFixed(1)} | ${(spread(nanoseconds) * 100).toFixed(0)} % | ${bytes === undefined ? '–' : bytes.toFixed(3)} |`,
  )
  const markdown = [
    `# Resilience: ${machine.date}`,
    '',
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load before ${machine.loadBefore.toFixed(2)}, commit ${machine.commit}; ${rounds} rounds, decisions in batches of ${calls}.`,
    '',
    '| what | ns each (median) | spread | bytes each |',
    '|---|---:|---:|---:|',
    ...table,
    '',
  ].join('\n')
  console.log(markdown)
  mkdirSync(results, { recursive: true })
  const file = join(results, `resilience-${stamp(machine.date)}`)
  writeFileSync(`${file}.md`, markdown)
  writeFileSync(`${file}.json`, `${JSON.stringify({ machine, calls, rounds, rows }, undefined, 1)}\n`)
  console.error(`written: ${file}.md and .json`)
}

/** One call each: asked for, and its result told. */
function decisions(calls: number, rounds: number): Row[] {
  const chance = { next: Math.random }
  const subjects = {
    'decision, closed, time window': new Breaker({ slowMs: 1_000 }, chance),
    'decision, closed, learned slowness': new Breaker({}, chance),
    'decision, closed, count window': new Breaker({ window: { type: 'count', calls: 100 }, slowMs: 1_000 }, chance),
    'decision, closed, in a row': new Breaker({ window: { type: 'consecutive', failures: 5 }, slowMs: 1_000 }, chance),
  }
  return Object.entries(subjects).map(([what, subject]) => {
    // Whole numbers: a fraction that crosses a call that is not inlined is a new number on the heap, made by the caller, and would be measured here.
    const clock = new Int32Array([1])
    const batch = (n: number): void => {
      for (let i = 0; i < n; i++) {
        const now = (clock[0] = (clock[0] ?? 0) + (i % 50 === 0 ? 1 : 0))
        const generation = subject.allow(now)
        subject.record(now, i % 100 === 0 ? outcome.failed : outcome.ok, 3, generation)
      }
    }
    batch(Math.min(calls, 1_000_000))
    const nanoseconds = Array.from({ length: rounds }, () => {
      const began = performance.now()
      batch(calls)
      return ((performance.now() - began) * 1e6) / calls
    })
    return { what, nanoseconds, bytes: bytesEach(batch) }
  })
}

/** Bytes of heap for each of 100,000: too few to be collected in between, if there is anything. */
function bytesEach(batch: (n: number) => void): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const n = 100_000
  const readings = Array.from({ length: 21 }, () => {
    collect()
    const before = process.memoryUsage().heapUsed
    batch(n)
    return process.memoryUsage().heapUsed - before
  })
  return median(readings) / n
}

async function executions(calls: number, rounds: number): Promise<Row[]> {
  const work = async (): Promise<number> => 1
  const theirs = new Opossum(work, { timeout: false, errorThresholdPercentage: 50, resetTimeout: 5_000, volumeThreshold: 20 })
  const cockatiel = circuitBreaker(handleAll, { halfOpenAfter: 5_000, breaker: new SamplingBreaker({ threshold: 0.5, duration: 10_000 }) })
  const ours = breaker({ slowMs: 1_000 })
  const composed = compose(retry(), breaker({ slowMs: 1_000 }))
  const subjects: [string, () => Promise<number>][] = [
    ['the bare call', work],
    ['execute(), holdfast breaker', () => ours.execute(work)],
    ['execute(), cockatiel 3.2.1 breaker', () => cockatiel.execute(work)],
    ['fire(), opossum 9.0.0', () => theirs.fire()],
    ['execute(), holdfast retry and breaker', () => composed.execute(work)],
  ]
  const times = subjects.map(() => [] as number[])
  try {
    for (let round = -1; round < rounds; round++) {
      for (const [index, [, call]] of subjects.entries()) {
        const began = performance.now()
        for (let i = 0; i < calls; i++) await call()
        // The first round warms up.
        if (round >= 0) times[index]?.push(((performance.now() - began) * 1e6) / calls)
      }
    }
  } finally {
    theirs.shutdown()
  }
  return subjects.map(([what], index) => ({ what, nanoseconds: times[index] ?? [] }))
}
