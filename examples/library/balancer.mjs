/**
 * A balancer within a program, in front of two small servers.
 *
 *   node examples/library/balancer.mjs
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { createBalancer } from 'holdfast/balancer'

/** @param {string} name */
async function origin(name) {
  const server = createServer((request, response) => response.end(`${name} answers ${request.url}\n`)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const [red, blue] = [await origin('red'), await origin('blue')]
const addressOf = (server) => `127.0.0.1:${server.address().port}`

const balancer = createBalancer({
  listeners: { web: { port: Number(process.env.BALANCER_PORT ?? 8080), host: '127.0.0.1' } },
  services: {
    colours: {
      endpoints: [addressOf(red), addressOf(blue)],
      balance: { algorithm: 'round-robin' },
    },
  },
})
await balancer.start()
const [{ url }] = balancer.listeners
console.log(`listening at ${url}`)

const ask = async () => (await fetch(`${url}/hello`)).text()
console.log((await ask()) + (await ask()))

// Nothing is sent to red while it is on.
await balancer.setMaintenance(addressOf(red), true)
console.log((await ask()) + (await ask()))

await balancer.stop()
red.close()
blue.close()
