/** The answer to a request of an ACME authority (RFC 8555 §8.3): it asks for a path that ends in the token. */

const prefix = '/.well-known/acme-challenge/'

/** undefined: it is no such request, or the token is not known. */
export function challengeAnswer(target: string, challenges: Readonly<Record<string, string>>): string | undefined {
  if (!target.startsWith(prefix)) return undefined
  const token = target.slice(prefix.length)
  return Object.hasOwn(challenges, token) ? challenges[token] : undefined
}
