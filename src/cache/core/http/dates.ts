/**
 * HTTP dates as a cache reads them (RFC 9110, 5.6.7; RFC 9111, 4.2): three forms, in any case of letters, always GMT. Whatever else is there is no date.
 */
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const day = '(?:mon|tue|wed|thu|fri|sat|sun)'
const longDay = '(?:mon|tues|wednes|thurs|fri|satur|sun)day'
const month = `(${months.join('|')})`
const time = '(\\d\\d):(\\d\\d):(\\d\\d)'

const imfFixdate = new RegExp(`^${day}, (\\d\\d) ${month} (\\d{4}) ${time} gmt$`, 'i')
const rfc850 = new RegExp(`^${longDay}, (\\d\\d)-${month}-(\\d\\d) ${time} gmt$`, 'i')
const asctime = new RegExp(`^${day} ${month} ([ \\d]\\d) ${time} (\\d{4})$`, 'i')

/** A year of two digits that lies more than this ahead means the one a century before. */
const yearsAheadMax = 50

/** Milliseconds since 1970; undefined: no date. `now` settles what century a year of two digits is of. */
export function parseHttpDate(text: string, now: number): number | undefined {
  const imf = imfFixdate.exec(text)
  if (imf !== null) return at(imf[3], imf[2], imf[1], imf[4], imf[5], imf[6])
  const ansi = asctime.exec(text)
  if (ansi !== null) return at(ansi[6], ansi[1], ansi[2], ansi[3], ansi[4], ansi[5])
  const old = rfc850.exec(text)
  if (old === null) return undefined
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + Number(old[3])
  return at(String(year - thisYear > yearsAheadMax ? year - 100 : year), old[2], old[1], old[4], old[5], old[6])
}

type Part = string | undefined

function at(year: Part, name: Part, dayOfMonth: Part, hours: Part, minutes: Part, seconds: Part): number | undefined {
  const [y, d, h, m, s] = [Number(year), Number(dayOfMonth), Number(hours), Number(minutes), Number(seconds)]
  const monthIndex = months.indexOf((name ?? '').toLowerCase())
  // A leap second is told as :60.
  if (d < 1 || h > 23 || m > 59 || s > 60) return undefined
  const time = Date.UTC(y, monthIndex, d, h, m, Math.min(s, 59))
  // 31 February would roll over into March.
  return new Date(time).getUTCDate() === d ? time : undefined
}
