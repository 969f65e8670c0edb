/** Asks auth who somebody is; `/break` makes half of its answers fail for a minute. */
import { createServer } from 'node:http'

let brokenUntil = 0

createServer(async (request, response) => {
  if (request.url === '/health') return void response.end('ok\n')
  if (request.url === '/break') brokenUntil = Date.now() + 60_000
  if (Date.now() < brokenUntil && Math.random() < 0.5) {
    response.statusCode = 500
    return void response.end('broken\n')
  }
  const who = await fetch('http://127.0.0.1:8080/auth').then(
    (answer) => answer.json(),
    (error) => ({ user: 'nobody', why: error.message }),
  )
  response.end(`hello ${who.user}\n`)
}).listen(Number(process.env.PORT), '127.0.0.1')
