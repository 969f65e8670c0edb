/** What the benchmark uses of opossum, which ships no types. */
declare module 'opossum' {
  export default class CircuitBreaker<T> {
    constructor(
      action: () => Promise<T>,
      options: { timeout: number | false; errorThresholdPercentage: number; resetTimeout: number; volumeThreshold: number },
    )
    fire(): Promise<T>
    shutdown(): void
  }
}
