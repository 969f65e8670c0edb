/**
 * Our routes beside `amtool config routes test`, by chance: who is told of a label set.
 *
 * amtool takes one label set in each run. So that a run asks many questions, all trees stand in one configuration, below a root that goes on to the next: the labels of
 * each tree carry its number, and a run gives one label set to every tree at once.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parseMatcher } from '../../../src/alerting/core/matchers.ts'
import { routesFor, routeTree, type RouteConfig } from '../../../src/alerting/core/routes.ts'
import { Prng } from '../../../src/kernel/random.ts'

const run = promisify(execFile)

interface Tree {
  readonly receiver: string
  readonly matchers: readonly string[]
  readonly continue: boolean
  readonly routes: readonly Tree[]
}

const names = ['job', 'env', 'team']
const values = ['a', 'b', 'ab', 'c', 'A', '']
const regexes = ['a|b', 'a.*', '.+', '.*', '(ab)?', '[^a]', '(?i)a', 'a{1,2}', 'ab?', '^a$', '']

function pick<T>(random: Prng, list: readonly T[]): T {
  const found = list[Math.floor(random.next() * list.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}

function matcher(random: Prng, tree: number): string {
  const isRegex = random.next() < 0.5
  const operator = pick(random, isRegex ? ['=~', '!~'] : ['=', '!='])
  return `${pick(random, names)}${tree}${operator}"${pick(random, isRegex ? regexes : values)}"`
}

function makeTree(random: Prng, tree: number, deep: number, receivers: Set<string>): Tree {
  const receiver = `t${tree}r${Math.floor(random.next() * 6)}`
  receivers.add(receiver)
  const count = deep === 0 ? 0 : Math.floor(random.next() * 4)
  return {
    receiver,
    matchers: Array.from({ length: Math.floor(random.next() * 3) }, () => matcher(random, tree)),
    continue: random.next() < 0.4,
    routes: Array.from({ length: count }, () => makeTree(random, tree, deep - 1, receivers)),
  }
}

const ours = ({ receiver, matchers, continue: goesOn, routes }: Tree): RouteConfig => ({
  receiver,
  matchers: matchers.map(parseMatcher),
  continue: goesOn,
  routes: routes.map(ours),
})

export interface RoutingScore {
  readonly runs: number
  /** Label sets times trees. */
  readonly questions: number
  /** The first; undefined: none. */
  readonly difference: string | undefined
}

/** `runs` label sets for each of `trees` trees. */
export async function compareRouting(trees: number, runs: number, seed: number): Promise<RoutingScore> {
  const random = new Prng(seed)
  const receivers = new Set(['root'])
  const made = Array.from({ length: trees }, (_, i) => ({ ...makeTree(random, i, 3, receivers), matchers: [], continue: true }))
  const root = routeTree({ receiver: 'root', routes: made.map(ours) })
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-amtool-'))
  const file = join(folder, 'alertmanager.yml')
  writeFileSync(file, JSON.stringify({ route: { receiver: 'root', routes: made }, receivers: [...receivers].map((name) => ({ name })) }))
  try {
    for (let i = 0; i < runs; i++) {
      const labels: Record<string, string> = {}
      for (let tree = 0; tree < trees; tree++) {
        for (const name of names) if (random.next() < 0.7) labels[`${name}${tree}`] = pick(random, values)
      }
      const args = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
      const { stdout } = await run('amtool', ['config', 'routes', 'test', '--config.file', file, ...args], { maxBuffer: 16 * 1_048_576 })
      const theirs = stdout.trim()
      const here = routesFor(root, labels)
        .map(({ options }) => options.receiver)
        .join(',')
      if (theirs !== here)
        return {
          runs: i + 1,
          questions: (i + 1) * trees,
          difference: `seed ${seed}, run ${i}: amtool\n  ${theirs}\nwe\n  ${here}\nof ${args.join(' ')}`,
        }
    }
    return { runs, questions: runs * trees, difference: undefined }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
