/**
 * What a client is told in GOAWAY when it has broken the protocol. Node ends a session for an error of its library with INTERNAL_ERROR, as if the error were
 * ours; the library's own number says which it was.
 */
import { constants, type ServerHttp2Session } from 'node:http2'

/** nghttp2's errors (`nghttp2_error`), of those that Node ends a session for. */
const codes: Readonly<Record<number, number>> = {
  [-505]: constants.NGHTTP2_PROTOCOL_ERROR,
  [-510]: constants.NGHTTP2_STREAM_CLOSED,
  [-522]: constants.NGHTTP2_FRAME_SIZE_ERROR,
  [-523]: constants.NGHTTP2_COMPRESSION_ERROR,
  [-524]: constants.NGHTTP2_FLOW_CONTROL_ERROR,
  [-904]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
  [-905]: constants.NGHTTP2_ENHANCE_YOUR_CALM,
}

const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && 'errno' in error && typeof error.errno === 'number' ? codes[error.errno] : undefined

/** From here on the session ends with the code that fits. */
export function tellErrors(session: ServerHttp2Session): void {
  const destroy = session.destroy.bind(session)
  session.destroy = (error?: Error, code?: number): void => {
    destroy(error, code ?? codeOf(error))
  }
}
