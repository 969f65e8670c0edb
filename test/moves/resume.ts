/**
 * Move 3: the death of an instance is not seen by its clients. Instances are killed under load: what may be sent again is, what may not is not, as the
 * origin counts it. Then they are killed in the middle of their answers, and what arrives must be the file, byte by byte.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Product } from '../support/product.ts'
import { killAsTheyCome } from './kills.ts'
import { atLeast, fact, none, type Figure, type Move, type Scale } from './move.ts'
import { underLoad } from './traffic.ts'

const command = `${process.execPath} ${fileURLToPath(new URL('../fixtures/files.mjs', import.meta.url))}`
const instances = 4
/** At 100 ms each: 60 under way at once. */
const requestsPerSecond = 600
const fileBytes = 2 * 1024 * 1024
const rescuedPercent = 99.9
/** Counters come once a second. */
const readingsMs = 2_000

export const resume: Move = {
  number: 3,
  name: 'resume',
  title: 'kill -9 with requests under way, then in the middle of answers',
  async run(product, scale): Promise<readonly Figure[]> {
    const env = { SERVICE_MS: '100', FILE_BYTES: String(fileBytes), FILE_MS: '400', LOG_FILE: product.path('log') }
    product.write('log', '')
    product.configure({ web: { command, instances, env } })
    await product.up()
    const figures = [...(await killUnderLoad(product, scale)), ...(await cutAnswers(product, scale))]
    await product.down()
    return figures
  },
}

const logged = (product: Product, kind: string): string[] =>
  readFileSync(product.path('log'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${kind} `))

async function killUnderLoad(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const wanted = full ? 100 : 5
  let killed = 0
  const traffic = await underLoad(product, requestsPerSecond, async () => {
    killed = await killAsTheyCome(product, { enough: (kills) => kills >= wanted, signal, others: 2, pauseMs: 200 })
  })
  await sleep(readingsMs)
  const { retried, parkedTotal } = (await product.service()).traffic
  const orders = logged(product, 'POST')
  const rescued = (100 * retried) / (retried + traffic.failedGet)
  return [
    atLeast('instances killed under load', killed, wanted),
    fact('requests; sent again; parked', `${traffic.requests}; ${retried}; ${parkedTotal}`),
    atLeast('rescued of the idempotent ones in flight (%)', Number(rescued.toFixed(2)), rescuedPercent),
    fact('failed POST: in flight at a kill', `${traffic.failedPost} ${traffic.failures}`.trim()),
    none('POST that reached an origin twice', orders.length - new Set(orders).size),
  ]
}

const clients = 24

async function cutAnswers(product: Product, { full, signal }: Scale): Promise<Figure[]> {
  const wanted = full ? 1_000 : 50
  const cuts = (): number => logged(product, 'RANGE').length
  const downloads = { whole: 0, other: 0, failed: 0, over: false }
  const running = Array.from({ length: clients }, (_, i) => download(product, `/file/${i}`, downloads))
  const killed = await killAsTheyCome(product, { enough: () => cuts() >= wanted, signal, others: 2, pauseMs: 200 })
  downloads.over = true
  await Promise.all(running)
  return [
    fact('instances killed in the middle of answers', String(killed)),
    atLeast('answers cut and gone on with', cuts(), wanted),
    fact('downloads complete, byte by byte the file', `${downloads.whole} of ${fileBytes / 2 ** 20} MiB`),
    none('downloads with other bytes', downloads.other),
    none('downloads broken off', downloads.failed),
  ]
}

interface Downloads {
  whole: number
  other: number
  failed: number
  over: boolean
}

/** Again and again; the ETag is the hash of what must come. */
async function download(product: Product, path: string, downloads: Downloads): Promise<void> {
  while (!downloads.over) {
    try {
      const response = await fetch(`${product.url}${path}`)
      const hash = createHash('sha256')
      for await (const piece of response.body ?? []) hash.update(piece as Uint8Array)
      if (response.headers.get('etag') === `"${hash.digest('hex')}"`) downloads.whole++
      else downloads.other++
    } catch {
      downloads.failed++
    }
  }
}
