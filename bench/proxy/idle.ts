/** Opens connections that have made one request each and now wait, as browsers and pools do. */
import { connect, type Socket } from 'node:net'

/** How many are being opened at a time: a flood would measure the listen backlog. */
const openingMax = 50

export async function openIdleConnections(port: number, count: number): Promise<{ opened: number; close: () => void }> {
  const sockets: Socket[] = []
  let failed = 0
  const openOne = (): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' })
      sockets.push(socket)
      socket.once('connect', () => socket.write('GET /small HTTP/1.1\r\nHost: bench\r\n\r\n'))
      socket.once('data', () => {
        resolve()
      })
      socket.on('error', () => {
        failed++
        resolve()
      })
    })
  while (sockets.length < count) {
    await Promise.all(Array.from({ length: Math.min(openingMax, count - sockets.length) }, openOne))
  }
  return {
    opened: sockets.length - failed,
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
