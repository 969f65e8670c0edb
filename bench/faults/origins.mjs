/**
 * Three origins in one process, each on a port of its own, and a control port: `POST /INDEX/FAULT` gives one of them a fault, `ok` takes it away.
 * A healthy one answers after two milliseconds. What fails and what does not:
 *
 *   error    500 at once, its health path is fine        stall   takes requests and answers none
 *   reset    takes a request and resets the connection   refuse  does not listen
 *   slow     700 ms longer, its health path is fine
 */
import { createServer } from 'node:http'

const usualMs = 2
const slowMs = 700
const [controlPort, ...ports] = process.argv.slice(2).map(Number)

function origin(port) {
  const sockets = new Set()
  let fault = 'ok'
  const answer = (response, status, body) => response.writeHead(status, { 'Content-Type': 'text/plain' }).end(body)
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.resume()
    if (fault === 'stall') return
    if (fault === 'reset') {
      request.socket.resetAndDestroy()
      return
    }
    if (request.url === '/health') answer(response, 200, 'ok')
    else if (fault === 'error') answer(response, 500, 'broken')
    else setTimeout(() => answer(response, 200, 'x'.repeat(100)), fault === 'slow' ? usualMs + slowMs : usualMs)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const listen = () => new Promise((resolve) => server.listen(port, '127.0.0.1', 4096, resolve))
  return {
    listen,
    async set(next) {
      if (fault === 'refuse' && next !== 'refuse') await listen()
      // What hangs is let go with the fault, and a process that does not listen has no connections either.
      if (next === 'refuse' || fault === 'stall') for (const socket of sockets) socket.destroy()
      if (next === 'refuse' && fault !== 'refuse') server.close()
      fault = next
    },
  }
}

const origins = ports.map(origin)
await Promise.all(origins.map(({ listen }) => listen()))
createServer((request, response) => {
  const [, index, fault] = request.url.split('/')
  void origins[Number(index)].set(fault).then(() => response.end('done'))
}).listen(controlPort, '127.0.0.1')
