/** What is counted of the connections to one endpoint of a TCP service. They grow until they are reported, then begin again. */
export interface TcpCounts {
  /** Bytes from clients. */
  received: number
  /** Bytes to clients. */
  sent: number
  /** Connections ended by us: idle, drained, or to a demoted primary. */
  cut: number
}

export const newTcpCounts = (): TcpCounts => ({ received: 0, sent: 0, cut: 0 })
