/**
 * Move 7: one deadline and one set of retries for a tree of calls. Three layers of real services call each other through the balancer, each with
 * three attempts, and the leaf fails always: tries add and do not multiply. Then the leaf takes longer than callers wait: nothing begins late.
 */
import { fileURLToPath } from 'node:url'
import { Prng } from '../../src/kernel/random.ts'
import type { Product, Settings } from '../support/product.ts'
import { atLeast, fact, none, type Figure, type Move, type Scale } from './move.ts'

const script = fileURLToPath(new URL('../fixtures/layer.mjs', import.meta.url))
const layers = ['front', 'middle', 'leaf'] as const
type Layer = (typeof layers)[number]

/** Of the work of the leaf, against what the client has asked. */
const leafShareMax = 1.25
const naiveRequests = 20
const concurrency = 40
/** What callers give: from too little to begin with to enough for everything. */
const patienceMaxMs = 120
const leafWorkMs = 20

interface Counts {
  readonly begun: number
  readonly begunLate: number
  /** The machine stopped the process for longer than the least that a request must come with, after it had looked at the clock. */
  readonly stoodStill: number
  readonly refused: number
}

export const callTree: Move = {
  number: 7,
  name: 'call-tree',
  title: 'three layers with three attempts each above a leaf that fails always, then deadlines that pass',
  async run(product, scale): Promise<readonly Figure[]> {
    await start(product)
    return [...(await failingLeaf(product, scale)), ...(await passingDeadlines(product, scale))]
  },
}

async function failingLeaf(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const offered = full ? 10_000 : 500
  await ask(product, naiveRequests, signal, () => ({ 'x-naive': '1' }))
  const naive = await countsOf(product, 'leaf')
  await ask(product, offered, signal, () => ({ 'x-deadline': deadlineIn(10_000), 'x-retry-attempt': '0' }))
  const { begun } = await countsOf(product, 'leaf')
  const share = (begun - naive.begun) / offered
  return [
    fact('leaf load with three attempts per layer that know of nothing', `${(naive.begun / naiveRequests).toFixed(2)} × offered`),
    {
      what: 'leaf load',
      value: `${share.toFixed(3)} × offered`,
      target: `≥ 1, ≤ ${leafShareMax} × offered`,
      met: share >= 1 && share <= leafShareMax,
    },
  ]
}

async function passingDeadlines(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const requests = full ? 100_000 : 500
  const random = new Prng(7)
  const before = await Promise.all(layers.map((layer) => countsOf(product, layer)))
  await ask(product, requests, signal, () => ({ 'x-deadline': deadlineIn(Math.ceil(random.next() * patienceMaxMs)), 'x-retry-attempt': '0' }))
  const after = await Promise.all(layers.map((layer) => countsOf(product, layer)))
  const counts = after.map((each, index) => without(each, before[index]!))
  const sum = (of: (each: Counts) => number): number => counts.reduce((total, each) => total + of(each), 0)
  return [
    fact('requests with 1 to 120 ms to live', String(requests)),
    fact('work begun in front, middle, leaf', counts.map(({ begun }) => begun).join(', ')),
    fact('refused by a service, for it came with less than 5 ms', String(sum(({ refused }) => refused))),
    atLeast('requests that never got to the leaf', requests - counts[2]!.begun, 1),
    none(
      'work begun after its deadline',
      sum(({ begunLate }) => begunLate),
    ),
    fact('begun late by a process that was stopped for 5 ms after it had looked', String(sum(({ stoodStill }) => stoodStill))),
  ]
}

const without = (after: Counts, before: Counts): Counts => ({
  begun: after.begun - before.begun,
  begunLate: after.begunLate - before.begunLate,
  stoodStill: after.stoodStill - before.stoodStill,
  refused: after.refused - before.refused,
})

async function start(product: Product): Promise<void> {
  const layer = (name: Layer, next: Layer | undefined): Settings => ({
    command: `${process.execPath} ${script}`,
    routes: [{ path: `/${name}`, stripPath: true }],
    env: next === undefined ? { WORK_MS: String(leafWorkMs) } : { NEXT: `${product.url}/${next}` },
  })
  product.configure({ front: layer('front', 'middle'), middle: layer('middle', 'leaf'), leaf: layer('leaf', undefined) })
  await product.up()
}

const deadlineIn = (ms: number): string => `${Date.now() + ms};remaining=${ms}`

async function ask(product: Product, requests: number, signal: AbortSignal, headers: () => Record<string, string>): Promise<void> {
  let left = requests
  const one = async (): Promise<void> => {
    while (left-- > 0 && !signal.aborted) await product.get('/front', headers())
  }
  await Promise.all(Array.from({ length: concurrency }, one))
}

const countsOf = async (product: Product, layer: Layer): Promise<Counts> => JSON.parse((await product.get(`/${layer}/counts`)).text) as Counts
