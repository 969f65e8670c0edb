/**
 * A chat over WebSockets (RFC 6455), written on plain Node so that the quickstart needs no package.
 * What one says, everybody connected to the same instance hears. For a real service take the package `ws`.
 *
 *   GET /health        200 while it works
 *   GET /chat          with Upgrade: websocket, the chat; without, a line that says so
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const instance = process.env.HOLDFAST_INSTANCE ?? `chat-${process.pid}`
const port = Number(process.env.PORT ?? 3000)
const messageBytesMax = 65_536
/** A listener that takes nothing in for so long is let go. */
const unsentBytesMax = 1_048_576
/** How long is read on, and ignored, behind a goodbye: bytes left unread would make a reset of it. */
const lingerMs = 2_000
const op = { continuation: 0x0, text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa }
/** @type {Set<Connection>} */
const connections = new Set()

class ProtocolError extends Error {
  constructor(code, reason) {
    super(reason)
    this.code = code
  }
}

/** One client: takes bytes in, puts frames together, answers pings and closes. */
class Connection {
  #socket
  #received = Buffer.alloc(0)
  /** The parts of a message that came in several frames. */
  #parts = []
  #partBytes = 0
  #kind = 0
  #closing = false
  #deaf = false

  constructor(socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', () => socket.destroy())
    // Half a connection is of no use here.
    socket.on('end', () => socket.end())
    socket.on('close', () => connections.delete(this))
  }

  take(chunk) {
    if (this.#deaf) return
    this.#received = Buffer.concat([this.#received, chunk])
    try {
      for (let frame = this.#nextFrame(); frame; frame = this.#nextFrame()) this.#onFrame(frame)
    } catch (error) {
      this.close(error.code ?? 1011, error.message)
      this.#deaf = true
      this.#socket.end()
      setTimeout(() => this.#socket.destroy(), lingerMs).unref()
    }
  }

  /** undefined while the frame is not complete. */
  #nextFrame() {
    const bytes = this.#received
    if (bytes.length < 2) return undefined
    const final = (bytes[0] & 0x80) !== 0
    const opcode = bytes[0] & 0x0f
    const isControl = opcode >= 0x8
    if ((bytes[0] & 0x70) !== 0) throw new ProtocolError(1002, 'a reserved bit is set')
    if (!Object.values(op).includes(opcode)) throw new ProtocolError(1002, 'the opcode is unknown')
    if ((bytes[1] & 0x80) === 0) throw new ProtocolError(1002, 'a client masks its frames')
    const short = bytes[1] & 0x7f
    if (isControl && (!final || short > 125)) throw new ProtocolError(1002, 'a control frame is short and in one piece')

    const headBytes = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0)
    if (bytes.length < headBytes + 4) return undefined
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
    if (this.#partBytes + length > messageBytesMax) throw new ProtocolError(1009, 'the message is too long')
    const end = headBytes + 4 + length
    if (bytes.length < end) return undefined

    const mask = bytes.subarray(headBytes, headBytes + 4)
    const payload = Buffer.from(bytes.subarray(headBytes + 4, end))
    for (let i = 0; i < payload.length; i++) payload[i] ^= mask[i & 3]
    this.#received = bytes.subarray(end)
    return { final, opcode, payload }
  }

  #onFrame({ final, opcode, payload }) {
    if (this.#closing && opcode !== op.close) return
    if (opcode === op.ping) this.send(op.pong, payload)
    else if (opcode === op.close) this.#onClose(payload)
    else if (opcode !== op.pong) this.#onData(final, opcode, payload)
  }

  #onData(final, opcode, payload) {
    const isFirst = opcode !== op.continuation
    if (isFirst && this.#kind !== 0) throw new ProtocolError(1002, 'the message before is not finished')
    if (!isFirst && this.#kind === 0) throw new ProtocolError(1002, 'nothing to continue')
    if (isFirst) this.#kind = opcode
    this.#parts.push(payload)
    this.#partBytes += payload.length
    if (!final) return
    const message = Buffer.concat(this.#parts)
    const kind = this.#kind
    this.#parts = []
    this.#partBytes = 0
    this.#kind = 0
    if (kind === op.text) broadcast(decodeUtf8(message))
    else this.send(op.binary, message)
  }

  #onClose(payload) {
    if (payload.length === 1) throw new ProtocolError(1002, 'a close code has two bytes')
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1000
    const isAllowed = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
    if (!isAllowed) throw new ProtocolError(1002, 'the close code is not allowed')
    decodeUtf8(payload.subarray(2))
    this.close(code, '')
    this.#socket.end()
  }

  send(opcode, payload) {
    if (this.#socket.destroyed || (this.#closing && opcode !== op.close)) return
    if (this.#socket.writableLength > unsentBytesMax) {
      this.#socket.destroy()
      return
    }
    const { length } = payload
    const head = length < 126 ? Buffer.from([0x80 | opcode, length]) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10)
    head[0] = 0x80 | opcode
    if (head.length === 4) {
      head[1] = 126
      head.writeUInt16BE(length, 2)
    } else if (head.length === 10) {
      head[1] = 127
      head.writeBigUInt64BE(BigInt(length), 2)
    }
    this.#socket.write(Buffer.concat([head, payload]))
  }

  /** Says goodbye; the client answers with the same and closes. */
  close(code, reason) {
    if (this.#closing) return
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
    payload.writeUInt16BE(code, 0)
    payload.write(reason, 2)
    this.send(op.close, payload)
    this.#closing = true
  }
}

function decodeUtf8(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ProtocolError(1007, 'the text is not UTF-8')
  }
}

function broadcast(text) {
  const message = Buffer.from(JSON.stringify({ instance, text, listeners: connections.size }))
  for (const connection of connections) connection.send(op.text, message)
}

const server = createServer((request, response) => {
  const isHealth = request.url === '/health'
  const text = isHealth ? `${JSON.stringify({ status: 'ok', instance, connections: connections.size })}\n` : 'connect here with a WebSocket\n'
  const type = isHealth ? 'application/json' : 'text/plain; charset=utf-8'
  response.writeHead(isHealth ? 200 : 426, { 'content-type': type, ...(!isHealth && { upgrade: 'websocket' }) }).end(text)
})

server.on('upgrade', (request, socket, head) => {
  socket.on('error', () => socket.destroy())
  const key = request.headers['sec-websocket-key'] ?? ''
  const isWebSocket = request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket'
  if (!isWebSocket || Buffer.from(key, 'base64').length !== 16 || request.headers['sec-websocket-version'] !== '13') {
    socket.end('HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    return
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  const connection = new Connection(socket)
  connections.add(connection)
  connection.send(op.text, Buffer.from(JSON.stringify({ instance, text: `you are connected to ${instance}`, listeners: connections.size })))
  if (head.length > 0) connection.take(head)
})

server.keepAliveTimeout = 75_000
server.headersTimeout = 80_000

server.listen(port, '127.0.0.1', () => {
  console.log(`${instance} listens on ${port}`)
})

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    console.log(`${instance} says goodbye to ${connections.size} and ends`)
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    // 1001, going away: clients connect again, and the balancer sends them to another instance.
    for (const connection of connections) connection.close(1001, 'going away')
    setTimeout(() => process.exit(0), 2_000).unref()
  })
}
