/**
 * `npm run moves [-- --full --moves 1,12]`: the acceptance figures of what no other balancer has, taken from the built product.
 * Without `--full` a short version of each, to notice that a promise broke; with it the numbers that the promise names.
 * Exit 1 when a target is missed.
 */
import { parseArgs } from 'node:util'
import { interruptSignal } from '../../bench/lib/interrupt.ts'
import { isBuilt, Product } from '../support/product.ts'
import { callTree } from './call-tree.ts'
import { causalRouting } from './causal-routing.ts'
import { fusedScore } from './fused-score.ts'
import { keepAlive } from './keep-alive.ts'
import { lastHealthy } from './last-healthy.ts'
import { fact, none, type Figure, type Move, type Scale } from './move.ts'
import { parking } from './parking.ts'
import { poison } from './poison.ts'
import { releaseCache } from './release-cache.ts'
import { resume } from './resume.ts'
import { survival } from './survival.ts'

const moves: readonly Move[] = [causalRouting, parking, resume, poison, fusedScore, callTree, keepAlive, releaseCache, lastHealthy, survival]

interface Row extends Figure {
  readonly move: Move
}

function readOptions(): { readonly full: boolean; readonly chosen: readonly Move[] } {
  const { values } = parseArgs({ options: { full: { type: 'boolean', default: false }, moves: { type: 'string' } } })
  const names = values.moves?.split(',') ?? moves.map(({ name }) => name)
  const chosen = names.map((name) => {
    const move = moves.find((each) => each.name === name || String(each.number) === name)
    if (!move) throw new Error(`unknown move ${name}; there are ${moves.map((each) => `${each.number} (${each.name})`).join(', ')}`)
    return move
  })
  return { full: values.full, chosen }
}

async function prove(move: Move, scale: Scale): Promise<Row[]> {
  console.error(`move ${move.number}: ${move.title}`)
  const startedAt = performance.now()
  const product = await Product.create()
  const figures: Figure[] = []
  try {
    figures.push(...(await move.run(product, scale)))
    await product.down()
  } catch (error) {
    figures.push({ what: 'the run broke off', value: error instanceof Error ? error.message : String(error), target: 'it does not', met: false })
  }
  const left = await product.end()
  for (const each of left) console.error(each)
  if (figures.every(({ met }) => met)) figures.push(none('processes left behind', left.length))
  figures.push(fact('time taken', `${((performance.now() - startedAt) / 1_000).toFixed(0)} s`))
  return figures.map((figure) => ({ ...figure, move }))
}

function show(rows: readonly Row[]): void {
  const cells = rows.map(({ move, what, value, target, met }) => [
    String(move.number),
    what,
    value,
    target,
    target === '' ? '' : met ? 'met' : 'MISSED',
  ])
  const table = [['move', 'figure', 'value', 'target', ''], ...cells]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = table
  console.log([line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n'))
}

async function main(): Promise<void> {
  if (!isBuilt()) throw new Error('dist/ is not built; run: npm run build')
  const { full, chosen } = readOptions()
  const signal = interruptSignal()
  const rows: Row[] = []
  for (const move of chosen) if (!signal.aborted) rows.push(...(await prove(move, { full, signal })))
  show(rows)
  if (signal.aborted || rows.some(({ met }) => !met)) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`moves failed: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
