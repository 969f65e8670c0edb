/** http-proxy-3 in front of a node:http server, with a keep-alive agent to the origin. */
import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy-3'

const [port, originPort] = process.argv.slice(2).map(Number)
const agent = new Agent({ keepAlive: true, maxSockets: 256, maxFreeSockets: 256 })
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${originPort}`, agent, xfwd: true })
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502)
  response.end()
})
createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
  proxy.web(request, response)
}).listen({ port, host: '127.0.0.1', backlog: 4096 })

process.once('SIGTERM', () => process.exit())
