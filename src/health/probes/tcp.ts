/** Connects to an address, and lets go of it. */
import { connect } from 'node:net'
import type { HostPort } from '../../config/types.ts'
import { lookup } from '../../kernel/lookup.ts'
import { atFirst } from './failures.ts'
import type { Probe } from '../types.ts'

export const tcpProbe = ({ host, port }: HostPort): Probe => ({
  run: (signal, note) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, lookup })
      note?.(atFirst(host))
      socket.once('lookup', () => note?.('connecting'))
      const cut = (): void => {
        socket.destroy()
      }
      signal.addEventListener('abort', cut, { once: true })
      socket.once('connect', () => {
        // A reset rather than a farewell: nothing is left waiting here or there.
        socket.resetAndDestroy()
        resolve({ outcome: 'pass', message: 'connected' })
      })
      socket.once('error', reject)
      socket.once('close', () => {
        signal.removeEventListener('abort', cut)
        reject(new Error('the connection was closed'))
      })
    }),
})
