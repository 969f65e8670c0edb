/**
 * A small shop: what a web service has to do to be kept up without losing a request.
 * It listens on $PORT, answers /health, and on SIGTERM finishes what it has begun before it ends.
 *
 *   GET  /             who answered, as JSON; a page that shows it at work for browsers
 *   GET  /slow?ms=500  an answer that takes its time
 *   GET  /stream       a line every 200 ms, ten of them
 *   POST /orders       counts; answers with the order and its number
 *   GET  /orders       how many this instance has taken
 *   GET  /health       200 while it works
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const instance = process.env.HOLDFAST_INSTANCE ?? `shop-${process.pid}`
const port = Number(process.env.PORT ?? 3000)
const page = readFileSync(new URL('page.html', import.meta.url))
const startedAt = Date.now()
const slowMsMax = 60_000
const orderBytesMax = 65_536
let orders = 0
let stopping = false

const server = createServer(async (request, response) => {
  response.on('finish', () => {
    if (stopping) setImmediate(() => server.closeIdleConnections())
  })
  if (stopping) response.setHeader('connection', 'close')
  const url = new URL(request.url ?? '/', 'http://shop')
  const answer = answers[`${request.method === 'HEAD' ? 'GET' : request.method} ${url.pathname}`]
  try {
    if (answer) await answer(request, response, url)
    else sendJson(response, 404, { error: `nothing at ${request.method} ${url.pathname}`, instance })
  } catch (error) {
    console.error(`${request.method} ${url.pathname}: ${error.message}`)
    if (response.headersSent) response.destroy()
    else sendJson(response, error.status ?? 500, { error: error.message, instance })
  }
})

const answers = {
  'GET /': (request, response) => {
    const fromBrowser = (request.headers.accept ?? '').includes('text/html')
    response.setHeader('vary', 'accept')
    if (fromBrowser) response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-length': page.length }).end(page)
    else sendJson(response, 200, { service: 'shop', instance, pid: process.pid, uptime: Math.round((Date.now() - startedAt) / 1000) })
  },

  'GET /health': (_request, response) => {
    sendJson(response, 200, { status: 'ok', instance })
  },

  'GET /slow': async (_request, response, url) => {
    const ms = Math.min(Math.max(0, Number(url.searchParams.get('ms') ?? 1000) || 0), slowMsMax)
    await new Promise((resolve) => setTimeout(resolve, ms))
    sendJson(response, 200, { instance, ms })
  },

  'GET /stream': async (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
    for (let line = 1; line <= 10 && !response.destroyed; line++) {
      response.write(`line ${line} of 10 from ${instance}\n`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    response.end()
  },

  'GET /orders': (_request, response) => {
    sendJson(response, 200, { orders, instance })
  },

  'POST /orders': async (request, response) => {
    const order = parseOrder(await readBody(request))
    orders += 1
    console.log(`order ${orders}: ${JSON.stringify(order)}`)
    sendJson(response, 201, { number: orders, order, instance })
  },
}

function parseOrder(text) {
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw Object.assign(new Error('the order is not JSON'), { status: 400 })
  }
}

async function readBody(request) {
  const chunks = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > orderBytesMax) throw Object.assign(new Error(`an order has at most ${orderBytesMax} bytes`), { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function sendJson(response, status, value) {
  const body = `${JSON.stringify(value)}\n`
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}

// Longer than the balancer keeps an idle connection, so that it is never this side that closes one just as a request comes.
server.keepAliveTimeout = 75_000
server.headersTimeout = 80_000

server.listen(port, '127.0.0.1', () => {
  console.log(`${instance} listens on ${port}`)
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${instance} finishes what it has begun and ends`)
    stopping = true
    server.close(() => process.exit(0))
    server.closeIdleConnections()
  })
}
