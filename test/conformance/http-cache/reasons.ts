/** Why we do not do what a test asks for: the clause that decides, for each test that is not passed. Said in docs/caching-conformance.md, too. */
const partial =
  'RFC 9110, 14.4 and 15.3.7: `Content-Range: bytes 4-9/10` names six bytes and five come. A part that is not what it says is not kept; nor, so far, are others (RFC 9111, 3.3: a cache may)'

export const reasons: Readonly<Record<string, string>> = {
  'headers-store-Transfer-Encoding':
    'RFC 9112, 6.1 and 7: the body has a coding that nobody knows and ends with the connection; such an answer is refused with 502, since where it ends cannot be known',
  'conditional-lm-fresh-no-lm': 'RFC 9111, 4.3.2: without `Last-Modified`, `Date` must be no later than the condition; here it is 50 minutes later',
  'method-POST': 'RFC 9110, 9.3.3: a cache may keep the answer to a POST; ours forgets what a POST has changed, and asks the origin',
  'partial-store-partial-reuse-partial': partial,
  'partial-store-partial-reuse-partial-absent': partial,
  'partial-store-partial-reuse-partial-byterange': partial,
  'partial-store-partial-reuse-partial-suffix': partial,
  'partial-store-partial-complete':
    'RFC 9111, 3.4: parts are put together by a strong validator only; this answer has none, so the rest of it would be of no use',
  'vary-normalise-lang-order':
    'RFC 9110, 12.5.4: some servers take the order of languages as preference, so another order is another request (RFC 9111, 4.1)',
  'vary-normalise-lang-select':
    'RFC 9111, 4.1: fields are compared after changes that keep their meaning; which language an origin would choose is its decision',
}
