/** Takes WebSockets and answers every 70 bytes (a masked frame of 64) with the same unmasked one. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

const frameBytes = 70
const answer = Buffer.concat([Buffer.from([0x82, 64]), Buffer.alloc(64, 120)])
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

createServer({ noDelay: true }, (socket) => {
  let head = ''
  let waiting = 0
  socket.on('error', () => undefined)
  socket.on('data', (bytes) => {
    if (head !== undefined) {
      head += bytes.toString('latin1')
      const key = /sec-websocket-key: *(\S+)[^]*\r\n\r\n/i.exec(head)?.[1]
      if (key === undefined) return
      head = undefined
      const accept = createHash('sha1')
        .update(key + guid)
        .digest('base64')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      return
    }
    waiting += bytes.length
    for (; waiting >= frameBytes; waiting -= frameBytes) socket.write(answer)
  })
}).listen(Number(process.argv[2]), '127.0.0.1')
