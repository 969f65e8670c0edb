/** A proxy that can be measured: how it is started in front of the one origin. */
import type { Child } from '../lib/process.ts'

/** What a proxy is asked to do besides plain HTTP/1.1 with all features off. */
export type Feature = 'tls' | 'http2' | 'websocket' | 'features' | 'cache' | 'cache-http2'

export interface TargetContext {
  /** An empty folder of its own. */
  readonly directory: string
  /** Where it must listen, on 127.0.0.1. */
  readonly port: number
  readonly originPort: number
  readonly core: number
  readonly env: Record<string, string>
  /** undefined: plain, all features off. */
  readonly feature?: Feature | undefined
  /** Of the listener, PEM files: for `tls` and `http2`. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string }
  /** Where `/ws` goes: for `websocket`. */
  readonly echoPort: number
}

export interface Target {
  readonly name: string
  readonly features: readonly Feature[]
  /** What the numbers are about; undefined when it is not installed here. */
  version(): string | undefined
  start(context: TargetContext): Promise<RunningTarget>
}

export interface RunningTarget {
  readonly child: Child
  /** The processes whose CPU time and memory count. */
  pids(): readonly number[]
}
