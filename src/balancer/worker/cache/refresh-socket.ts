/**
 * Stands in for a client's socket while a stored answer is validated in the background: it sends the request once more, with the same head, and takes the
 * answer without giving it to anybody. So all that holds for requests holds for this one: limits, second tries, deadlines, books.
 */
import { EventEmitter } from 'node:events'
import type { ByteSocket } from '../client-side.ts'

export class RefreshSocket extends EventEmitter implements ByteSocket {
  readonly remoteAddress: string
  destroyed = false
  readonly writableLength = 0
  readonly writableNeedDrain = false

  constructor(head: Buffer, address: string) {
    super()
    this.remoteAddress = address
    process.nextTick(() => {
      if (!this.destroyed) this.emit('data', head)
      if (!this.destroyed) this.emit('end')
    })
  }

  write(): boolean {
    return true
  }

  end(done?: () => void): void {
    if (done !== undefined) this.once('close', done)
    this.destroy()
  }

  destroySoon(): void {
    this.destroy()
  }

  resetAndDestroy(): void {
    this.destroy()
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    process.nextTick(() => this.emit('close'))
  }

  pause(): void {
    // All that it has to say was said at once.
  }

  resume(): void {
    // The same.
  }

  setKeepAlive(): void {
    // There is no connection.
  }
}
