/**
 * Looks at the outside of a JWT before any cryptography sees it. A token that two readers could understand
 * differently (a second `exp`, padding, stray bits, a fourth part) is refused, whoever signed it. Source: RFC 7515, RFC 8725.
 */
export const tokenBytesMax = 8_192

/** Why the text is no token we would look at; undefined when it may be verified. */
export function objectionTo(token: string): string | undefined {
  if (token.length > tokenBytesMax) return `the token has more than ${tokenBytesMax} bytes`
  const parts = token.split('.')
  if (parts.length !== 3) return `the token has ${parts.length} parts instead of 3`
  const [header = '', payload = '', signature = ''] = parts
  for (const part of [header, payload, signature]) if (!isStrictBase64Url(part)) return 'a part of the token is not plain base64url'
  for (const part of [header, payload]) {
    const json = decodeBase64Url(part)
    if (!isJsonObject(json)) return 'a part of the token is not a JSON object'
    const duplicate = duplicateKey(json)
    if (duplicate !== undefined) return `the token names "${duplicate}" twice`
  }
  return undefined
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Without padding and with all unused bits zero, so that a value has one spelling. */
function isStrictBase64Url(text: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) return false
  const unusedBits = text.length % 4 === 2 ? 15 : text.length % 4 === 3 ? 3 : 0
  return (alphabet.indexOf(text.charAt(text.length - 1)) & unusedBits) === 0
}

const decodeBase64Url = (text: string): string =>
  new TextDecoder().decode(Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0)))

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

/** The first key that an object of the (valid) JSON text names twice, at any depth. JSON.parse would silently keep the last. */
export function duplicateKey(json: string): string | undefined {
  const keysOf: (Set<string> | undefined)[] = []
  const tokens = json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)
  for (const [text, colon] of tokens) {
    if (text === '{') keysOf.push(new Set())
    else if (text === '[') keysOf.push(undefined)
    else if (text === '}' || text === ']') keysOf.pop()
    else if (colon !== undefined) {
      const key = JSON.parse(text.slice(0, -colon.length)) as string
      if (keysOf.at(-1)?.has(key)) return key
      keysOf.at(-1)?.add(key)
    }
  }
  return undefined
}
