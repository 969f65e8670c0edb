/** Opens WebSockets and keeps one message under way on each: `websocket-load.mjs PORT CONNECTIONS SECONDS`. Prints what wrk's script prints. */
import { connect } from 'node:net'

const [port, connections, seconds] = process.argv.slice(2).map(Number)
const frame = Buffer.concat([Buffer.from([0x82, 0x80 | 64, 0, 0, 0, 0]), Buffer.alloc(64, 120)])
const answerBytes = 66
const upgrade =
  'GET /ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const latencies = []
let errors = 0
let counting = false

function open() {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(upgrade))
    let open = false
    let got = 0
    let sentAt = 0
    const send = () => {
      sentAt = performance.now()
      socket.write(frame)
    }
    socket.on('data', (bytes) => {
      if (!open) {
        open = bytes.toString('latin1').startsWith('HTTP/1.1 101')
        if (!open) errors++
        resolve({ socket, send })
        return
      }
      got += bytes.length
      if (got < answerBytes) return
      got -= answerBytes
      if (counting) latencies.push(performance.now() - sentAt)
      send()
    })
    socket.on('error', () => {
      errors++
      resolve({ socket, send })
    })
  })
}

const all = await Promise.all(Array.from({ length: connections }, open))
counting = true
const begin = performance.now()
for (const { send } of all) send()
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
counting = false
const micros = Math.round((performance.now() - begin) * 1_000)
for (const { socket } of all) socket.destroy()
const sorted = Float64Array.from(latencies).sort()
const at = (q) => Math.round((sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? 0) * 1_000)
console.log(`RESULT ${JSON.stringify({ requests: sorted.length, micros, p50: at(0.5), p99: at(0.99), max: at(1), errors })}`)
process.exit()
