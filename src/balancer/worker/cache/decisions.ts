/** What the cache decides about a request, in words for its trail, with the clause. */
/** Why the service is asked. */
export const whyAsked = {
  'uri-miss': 'nothing of it is stored',
  'vary-miss': 'what is stored is for other requests (RFC 9111, 4.1)',
  stale: 'it is validated (RFC 9111, 4.3)',
  request: 'its client wants it newer (RFC 9111, 5.2.1)',
  bypass: 'its conditions are for the service to judge (RFC 9110, 13)',
  miss: 'nothing of it is stored',
  partial: 'not all of it is stored',
  method: 'its method is not answered from the store',
} as const

/** `ttl` in seconds. */
export const hit = (ttl: number): string => (ttl > 0 ? 'answered from the store (RFC 9111, 4)' : 'its client takes it as it is (RFC 9111, 5.2.1.2)')
