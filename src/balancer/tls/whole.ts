/**
 * Whether what came over TLS is whole. An end that the peer has not announced (`close_notify`) may have been made by somebody in between, and an answer
 * whose end is that of its connection is then not known to be whole (RFC 8446 §6.1, RFC 9112 §9.8). Node tells both ends alike. But one that is announced
 * is told while the connection below is still read from, and the other one because there is nothing more to read; its handle knows which it is.
 */
import type { TLSSocket } from 'node:tls'

/** What Node has no public name for. */
interface ReadHandle {
  readonly reading?: boolean
  /** The connection below. Begins to read; a number that is not 0 when that is not possible: it reads already. */
  readonly _parent?: { readStart?: () => number }
}

const handleOf = (socket: TLSSocket): ReadHandle | null | undefined => (socket as unknown as { readonly _handle?: ReadHandle | null })._handle

/** Looks at how the connection ends. What it returns says, once `end` was told, whether the peer never announced it; false when that cannot be known. */
export function watchEnd(socket: TLSSocket): () => boolean {
  let cut = false
  const push = socket.push.bind(socket)
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null) cut = endsUnannounced(handleOf(socket))
    return push(chunk, encoding)
  }
  return () => cut
}

function endsUnannounced(handle: ReadHandle | null | undefined): boolean {
  // Nothing is read at the moment: what came must have been said before.
  if (handle?.reading !== true) return false
  return handle._parent?.readStart?.() === 0
}
