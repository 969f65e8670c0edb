/**
 * What an exchange needs of whoever asked: the facts of the request, its body piece by piece, and a way for the answer. `Client` is the
 * one over HTTP/1.1; a stream of another protocol that keeps these promises is served by the same exchange.
 */
import type { TLSSocket } from 'node:tls'
import type { ConnectionEnds } from '../core/proxy-protocol.ts'
import type { Emit } from '../http1/chunked.ts'
import type { RequestFacts } from '../http1/request.ts'
import type { Answer } from './answers.ts'
import type { FoundHit } from './cache/fast-path.ts'
import type { Worker } from './worker.ts'

/** What is used of a connection's socket: a stream of another protocol can stand in for one. */
export interface ByteSocket extends ConnectionEnds {
  readonly destroyed: boolean
  /** Bytes it still holds: the buffers they came in must be left alone. */
  readonly writableLength: number
  readonly writableNeedDrain: boolean
  /** Returns false when the socket wants a pause. */
  write(bytes: Buffer): boolean
  end(done?: () => void): unknown
  pause(): unknown
  resume(): unknown
  destroy(): unknown
  destroySoon(): void
  resetAndDestroy(): unknown
  setKeepAlive(enable: boolean, initialDelay: number): unknown
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  on(event: 'end' | 'drain' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** How a client speaks whose socket only stands in for a stream of its connection. */
export interface ClientFace {
  /** undefined: plain. */
  readonly tls: TLSSocket | undefined
  /** As `Via` names it. */
  readonly version: string
  /** The current request and its answer are streams that may be silent for long, as those of gRPC. */
  readonly longLived: boolean
  /** An answer of our own in a form of its own; undefined: the usual one. */
  ownAnswer(answer: Answer, requestId: string): Buffer | undefined
  /** Nobody waits for the answer. */
  readonly refreshes?: boolean
  /** Whether the client has been told in its own way that its answer is cut; false: the socket is to be destroyed. */
  cutShort(why: CutAnswer): boolean
}

/** Why an answer breaks off that has begun. */
export interface CutAnswer {
  /** One sentence for people. */
  readonly message: string
  readonly details: string | undefined
  /** The time that the caller gave is over. */
  readonly late: boolean
}

/** Takes over a client's connection for good. */
export interface ConnectionOwner {
  /** Returns whether the bytes are held on to: else what they lie in is written over. */
  fromClient(bytes: Buffer): boolean
  /** The client has sent its end. */
  clientEnded(): void
  /** The connection is closed, both ways. */
  clientClosed(): void
}

export interface ClientSide {
  readonly worker: Worker
  /** Of the current request. */
  readonly facts: RequestFacts
  /** Of the current request: a client's own when it is harmless, else ours. */
  readonly requestId: string
  /** It came over TLS. */
  readonly secure: boolean
  /** Nobody waits for the answer: what is stored is validated. */
  readonly refreshes: boolean
  /** Tells that the request was found in the store, fresh; the next one like it may go a shorter way. */
  hitFound(hit: FoundHit): void
  /** The client speaks HTTP/1.x. */
  readonly minor: number
  readonly address: string
  /** The current request and its answer may be silent for long. */
  readonly longLived: boolean
  /** Answers are written to it. */
  readonly socket: ByteSocket
  /** Called when the socket can take more. */
  onDrain: (() => void) | undefined
  /** The whole request body has been read from the client. */
  readonly bodyDone: boolean
  /** Bytes that have come and nobody has taken yet. */
  readonly waitingBytes: number
  /** The client has sent its end. */
  readonly ended: boolean
  /** The client is not read from at the moment. */
  readonly inputPaused: boolean
  /** No further request is wanted on this connection: the next head of an answer says so. */
  readonly closing: boolean
  pauseInput(): void
  resumeInput(): void
  /** Hands what has come of the body to `emit`. Returns false when the body is malformed. */
  takeBody(emit: Emit): boolean
  /** Nobody holds bytes of the body any more: what they lay in may be written over when the exchange is done. */
  bodyFree(): void
  /** No deadline runs while we, not the client, are what the body waits for. */
  holdBodyDeadline(): void
  /** It is the client's turn to send the next piece of the body. */
  runBodyDeadline(): void
  /** `X-Forwarded-*`, `Forwarded` and `Via` for the current request. */
  forwardedFields(minor: number): Buffer
  /** Sends a request with this head for nobody, so that what is stored is validated. */
  refresh(head: Buffer): void
  /** The same behind a proxy that is trusted: what `field` has of the client is passed on. */
  forwardedChain(minor: number, field: (name: string) => string | undefined): Buffer
  /** Writes an answer of our own to the current request. */
  writeAnswer(answer: Answer, close: boolean): void
  /** The answer is out. `keep`: its head promised that the connection may carry another request. */
  exchangeDone(keep: boolean): void
  /** From here on every byte belongs to `owner`, those that waited first. */
  handOver(owner: ConnectionOwner): void
  /** The owner is done: what was written last should still arrive, then the connection ends. */
  endOwned(): void
  destroy(): void
  /** Ends a cut answer so that no client can take it for a whole one. `shows`: the framing of its body does so by itself. */
  cutAnswer(shows: boolean, why: CutAnswer): void
}
