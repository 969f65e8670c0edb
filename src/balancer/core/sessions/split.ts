/**
 * Which revision a client gets. Every revision runs a race for every client: its time is drawn from the hash of both, exponentially and the faster
 * the larger its share; the first one wins (weighted rendezvous hashing). So the shares are exact on average, a client stays where it is, and when
 * one share grows at the cost of another clients move from that one to this one only.
 */
import { hash32 } from '../hash.ts'

/** A client as the races know it: 32 bits. */
export const clientHash = (service: string, key: string): number => hash32(`${service}\u0000${key}`)

/** The revision of this client; undefined: no share is above 0. */
export function sideOf(client: number, shares: readonly (readonly [string, number])[]): string | undefined {
  let winner: string | undefined
  let best = Infinity
  for (const [revision, share] of shares) {
    if (share <= 0) continue
    const u = (hash32(`${client}\u0000${revision}`) + 1) / 4_294_967_298
    const time = -Math.log(u) / share
    if (time < best) {
      best = time
      winner = revision
    }
  }
  return winner
}
