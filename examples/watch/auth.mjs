/** Says who somebody is. */
import { createServer } from 'node:http'

createServer((request, response) => {
  if (request.url === '/health') return void response.end('ok\n')
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ user: 'ada', by: process.pid }))
}).listen(Number(process.env.PORT), '127.0.0.1')
