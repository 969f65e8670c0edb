/** `REDIS_HOST`, `REDIS_PORT` and `REDIS_PASSWORD`: parts of the URL of `cache.redis`. What they do not say stays as the file has it. */

export const redisVariables = ['REDIS_HOST', 'REDIS_PORT', 'REDIS_PASSWORD'] as const
export type RedisVariables = Partial<Record<(typeof redisVariables)[number], string>>

/** Scheme, user, password, host, port and database of a URL; each may be filled in from elsewhere. */
const reference = String.raw`\$\{[^}]*\}`
const parts = new RegExp(
  String.raw`^(rediss?://)(?:((?:${reference}|[^\s/@:])*)(?::((?:${reference}|[^\s/@])*))?@)?(${reference}|\[[^\]]*\]|[^\s/:$]+)(?::(${reference}|\d{1,5}))?(/\S*)?$`,
)

/** The URL with what is given in place of its own; undefined: there is no host, neither given nor in the file. */
export function urlWith({ REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password }: RedisVariables, file = ''): string | undefined {
  const [, scheme = 'redis://', user = '', ownPassword, ownHost, ownPort, database = ''] = parts.exec(file) ?? []
  const name = host === undefined ? ownHost : hostOf(host.trim())
  if (name === undefined) return undefined
  const secret = password === undefined ? ownPassword : encodeURIComponent(password)
  const who = secret === undefined ? user : `${user}:${secret}`
  const number = port?.trim() ?? (host === undefined ? ownPort : undefined)
  return `${scheme}${who === '' ? '' : `${who}@`}${name}${number === undefined ? '' : `:${number}`}${database}`
}

/** Taken as it is: nothing is filled in. */
const hostOf = (host: string): string => (/^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(host) ? `[${host}]` : host.replaceAll('${', () => '$${'))
