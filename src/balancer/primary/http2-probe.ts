/** What a probe of an endpoint that speaks HTTP/2 asks, and how its answer is judged: a GET, or the health protocol of gRPC. */
import { codeOf } from '../../kernel/errors.ts'
import { healthCheckPath, healthFailure, healthQuestion } from '../core/grpc-health.ts'
import { askHttp2, type Http2Reply } from '../http2/ask.ts'
import { stateField } from '../../instance/core/asked-state.ts'
import type { Socket } from 'node:net'

/** Body bytes read when a probe expects a text in the body; the answer of the health protocol has a dozen. */
const bodyBytesMax = 64 * 1024

export interface Http2Probe {
  readonly path: string
  /** The service that is asked for by gRPC; empty: the server as a whole; undefined: the path is asked for. */
  readonly grpc?: string | undefined
  readonly timeoutMs: number
  readonly statusMin: number
  readonly statusMax: number
  readonly body?: string | undefined
}

/** How the question is called in what is said of it. */
export const probeName = ({ path, grpc }: Pick<Http2Probe, 'path' | 'grpc'>): string =>
  grpc === undefined ? `GET ${path}` : `the gRPC health check${grpc === '' ? '' : ` of ${grpc}`}`

/** Asks on a connection that is made for it. undefined: it passed, else why not. Never rejects. */
export async function probeByHttp2(socket: Socket, authority: string, probe: Http2Probe, hear?: (line: string) => void): Promise<string | undefined> {
  const name = probeName(probe)
  try {
    const reply = await askHttp2(socket, { ...questionOf(authority, probe), bodyBytesMax }, AbortSignal.timeout(probe.timeoutMs))
    const said = reply.fields[stateField]
    if (said !== undefined) hear?.(said)
    const failure = probe.grpc === undefined ? judged(reply, probe) : healthFailure(reply)
    return failure && `${name} ${failure}`
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') return `${name} did not answer within ${probe.timeoutMs} ms`
    return `${name} failed: ${codeOf(error) ?? (error as Error).message}`
  }
}

function questionOf(authority: string, { path, grpc, timeoutMs }: Http2Probe): { readonly headers: Record<string, string>; readonly body?: Buffer } {
  if (grpc === undefined) return { headers: { ':method': 'GET', ':path': path, ':authority': authority } }
  const fields = { 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': `${timeoutMs}m` }
  return { headers: { ':method': 'POST', ':path': healthCheckPath, ':authority': authority, ...fields }, body: healthQuestion(grpc) }
}

function judged({ status, body }: Http2Reply, { statusMin, statusMax, body: wanted }: Http2Probe): string | undefined {
  if (status < statusMin || status > statusMax) return `answered ${status}, expected ${statusMin}-${statusMax}`
  if (wanted === undefined || body.includes(wanted)) return undefined
  return `answered without ${JSON.stringify(wanted)} in its body`
}
