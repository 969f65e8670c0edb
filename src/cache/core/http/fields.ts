/** Header fields as the cache reads them. Names are asked for in lower case. */
export interface Fields {
  /** The values of all lines with this name, in their order. */
  all(name: string): readonly string[]
}

/** All lines as one list (RFC 9110, 5.3); undefined: there is none. */
export function listed(fields: Fields, name: string): string | undefined {
  const lines = fields.all(name)
  return lines.length === 0 ? undefined : lines.length === 1 ? lines[0] : lines.join(', ')
}

/** Of a field that may come once: the first one. */
export const single = (fields: Fields, name: string): string | undefined => fields.all(name)[0]

/** About one connection, so never stored, besides those that `Connection` names (RFC 9111, 3.1). */
export const connectionFields = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const
