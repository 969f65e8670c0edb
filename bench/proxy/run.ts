/**
 * One interleaved run: every proxy stays up, and in each round they take turns at each case, beginning with
 * another one every round. So a slow minute of the machine hits all of them, and medians over the rounds
 * compare like with like. Proxy on one core, origin and load on the other.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicros, freePort, memoryKib } from '../lib/process.ts'
import type { Feature, RunningTarget, Target, TargetContext } from '../targets/target.ts'
import { idleCase, type BenchCase } from './cases.ts'
import { openIdleConnections } from './idle.ts'
import { generators } from './generators.ts'
import type { LoadResult } from './wrk.ts'

const proxyCore = 0
export const loadCore = 1

export interface RunOptions {
  readonly targets: readonly Target[]
  readonly cases: readonly BenchCase[]
  readonly idle: boolean
  readonly rounds: number
  readonly seconds: number
  readonly directory: string
  readonly originPort: number
  readonly echoPort: number
  readonly certificate: TargetContext['certificate']
  readonly env: Record<string, string>
  readonly onProgress: (text: string) => void
  /** Ends the run before its next turn. */
  readonly signal: AbortSignal
}

/** One turn of one proxy at one case. */
export interface Sample extends LoadResult {
  readonly proxy: string
  readonly case: string
  readonly round: number
  readonly cpuMicros: number
  readonly memoryKib: number
}

export interface IdleSample {
  readonly proxy: string
  readonly round: number
  readonly opened: number
  readonly beforeKib: number
  readonly withKib: number
}

export interface RunResult {
  readonly samples: readonly Sample[]
  readonly idle: readonly IdleSample[]
}

/** A proxy that is up, as the cases of one feature need it. */
interface Lane {
  readonly target: Target
  readonly feature: Feature | undefined
  readonly running: RunningTarget
  readonly port: number
}

const warmUpSeconds = 2
/** Sockets of the turn before are gone and timers have settled. */
const pauseMs = 300
const idleSettleMs = 1_000

export async function runInterleaved(options: RunOptions): Promise<RunResult> {
  const lanes: Lane[] = []
  try {
    const needed = new Set([...options.cases.map(({ feature }) => feature), ...(options.idle ? [undefined] : [])])
    for (const target of options.targets) {
      for (const feature of needed) {
        if (feature === undefined || target.features.includes(feature)) lanes.push(await startLane(target, feature, options))
      }
    }
    await warmUp(lanes, options)
    return await measure(lanes, options)
  } finally {
    await Promise.all(lanes.map(({ running }) => running.child.stop()))
  }
}

async function startLane(target: Target, feature: Feature | undefined, options: RunOptions): Promise<Lane> {
  const { originPort, echoPort, certificate, env } = options
  const own = join(options.directory, `${target.name}-${feature ?? 'plain'}`)
  mkdirSync(own, { recursive: true })
  const port = await freePort()
  const context: TargetContext = { directory: own, port, originPort, core: proxyCore, env, feature, certificate, echoPort }
  return { target, feature, port, running: await target.start(context) }
}

/** Compilers, pools and caches are filled before anything counts. */
async function warmUp(lanes: readonly Lane[], { cases, onProgress, signal }: RunOptions): Promise<void> {
  for (const { target, feature, port } of lanes) {
    onProgress(`warm up ${target.name}${feature === undefined ? '' : `, ${feature}`}`)
    for (const benchCase of cases.filter((each) => each.feature === feature)) {
      signal.throwIfAborted()
      await generators[benchCase.generator](port, benchCase, warmUpSeconds, loadCore)
    }
  }
}

async function measure(lanes: readonly Lane[], { cases, idle, rounds, seconds, onProgress, signal }: RunOptions): Promise<RunResult> {
  const samples: Sample[] = []
  const idleSamples: IdleSample[] = []
  for (let round = 0; round < rounds; round++) {
    const turns = rotate(lanes, round)
    for (const benchCase of cases) {
      for (const lane of turns.filter(({ feature }) => feature === benchCase.feature)) {
        signal.throwIfAborted()
        const sample = await takeTurn(lane, benchCase, round, seconds)
        samples.push(sample)
        onProgress(`round ${round + 1}/${rounds} ${benchCase.name.padEnd(11)} ${lane.target.name.padEnd(13)} ${outcome(sample)}`)
      }
    }
    if (!idle) continue
    for (const lane of turns.filter(({ feature }) => feature === undefined)) idleSamples.push(await weighIdle(lane, round))
  }
  return { samples, idle: idleSamples }
}

async function takeTurn({ target, running, port }: Lane, benchCase: BenchCase, round: number, seconds: number): Promise<Sample> {
  await sleep(pauseMs)
  const pids = running.pids()
  const before = cpuMicros(pids)
  const load = await generators[benchCase.generator](port, benchCase, seconds, loadCore)
  const used = cpuMicros(pids) - before
  return { ...load, proxy: target.name, case: benchCase.name, round, cpuMicros: used, memoryKib: memoryKib(running.pids()) }
}

async function weighIdle({ target, running, port }: Lane, round: number): Promise<IdleSample> {
  await sleep(pauseMs)
  const beforeKib = memoryKib(running.pids())
  const { opened, close } = await openIdleConnections(port, idleCase.connections)
  await sleep(idleSettleMs)
  const withKib = memoryKib(running.pids())
  close()
  return { proxy: target.name, round, opened, beforeKib, withKib }
}

const rotate = <T>(items: readonly T[], by: number): readonly T[] => items.map((_, i) => items[(i + by) % items.length] as T)

const outcome = ({ requests, micros, cpuMicros: used, errors }: Sample): string =>
  `${Math.round((requests * 1e6) / micros)}/s, ${(used / requests).toFixed(1)} µs CPU each${errors > 0 ? `, ${errors} ERRORS` : ''}`
