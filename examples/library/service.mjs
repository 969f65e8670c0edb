/**
 * A service that tells Holdfast how it does. `GET /busy?ms=300` blocks its event loop for that long in every half second, for ten seconds:
 * the balancer then sends most requests to the other instances.
 */
import { createServer } from 'node:http'
import { joinHoldfast } from 'holdfast/instance'

const holdfast = joinHoldfast()
holdfast.onStop(() => console.log('all requests have their answers'))

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (pathname === '/busy') beBusy(Number(searchParams.get('ms') ?? 300))
  response.end(`${holdfast.id ?? 'nobody'}\n`)
})
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')

/** @param {number} ms */
function beBusy(ms) {
  const timer = setInterval(() => {
    const end = performance.now() + ms
    while (performance.now() < end);
  }, 500)
  setTimeout(() => clearInterval(timer), 10_000).unref()
}
